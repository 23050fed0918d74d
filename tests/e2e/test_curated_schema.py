"""The file of the curated schema: written once, read back, edited, and written again after its removal."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def curated_schema():
    from components.validation import curated_schema

    return curated_schema


@pytest.fixture(scope="module")
def state():
    from components.validation.schema_component import schema_state

    return schema_state


@pytest.fixture
def write_schema(curated_schema, tmp_path):
    """A function that writes a schema as the node does on a first run."""

    def make(*types):
        path = tmp_path / "schema" / "schema.pbtxt"
        curated_schema.write_schema(curated_schema.make_schema(types or ("PER",)), path)
        (path.parent / ".schema.pbtxt.as-inferred").write_text(path.read_text())
        return path

    return make


def test_only_tags_have_a_closed_domain(curated_schema):
    schema = curated_schema.make_schema(["PER", "LOC"])
    assert [(domain.name, list(domain.value)) for domain in schema.string_domain] == [
        ("tags", ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])
    ]
    assert [
        feature.name
        for feature in schema.feature
        if feature.domain or feature.HasField("string_domain")
    ] == ["tags"]


def test_a_schema_is_read_back_with_its_types(curated_schema, write_schema):
    path = write_schema("creative-work", "Ärzte")
    assert curated_schema.entity_types(curated_schema.read_schema(path)) == (
        "creative-work",
        "Ärzte",
    )
    assert path.read_text().startswith("# The schema of this corpus")


def test_the_domain_of_tags_may_be_inside_the_feature(curated_schema, tmp_path):
    path = tmp_path / "a.pbtxt"
    path.write_text(
        'feature { name: "tags" type: BYTES string_domain { value: "O" value: "B-X" value: "I-X" } }'
    )
    assert curated_schema.entity_types(curated_schema.read_schema(path)) == ("X",)


def test_the_schema_has_a_drift_threshold_for_each_compared_feature(curated_schema):
    bounded = [
        feature.name
        for feature in curated_schema.make_schema(["PER"]).feature
        if feature.HasField("drift_comparator")
    ]
    assert bounded == ["tokens", "tags", "length", "token_familiar"]


def test_missing_features_are_added_to_an_older_schema_without_other_changes(
    curated_schema, tmp_path
):
    path = tmp_path / "a.pbtxt"
    path.write_text(
        'feature { name: "tokens" type: BYTES presence { min_count: 5 } }'
        'feature { name: "tags" type: BYTES string_domain { value: "O" value: "B-X" value: "I-X" } }'
    )
    own = curated_schema.read_schema(path)
    completed = curated_schema.with_all_features(own)
    assert list(completed.feature[:2]) == list(own.feature)
    assert [feature.name for feature in completed.feature] == ["tokens", "tags"] + [
        feature.name
        for feature in curated_schema.make_schema(["X"]).feature
        if feature.name not in ("tokens", "tags")
    ]
    assert curated_schema.with_all_features(completed) == completed


def test_the_state_is_the_same_before_and_after_the_schema_is_written(
    state, write_schema, tmp_path
):
    before = state(tmp_path / "schema" / "schema.pbtxt")
    assert state(write_schema()) == before


def test_an_edit_changes_the_state_and_undoing_it_restores_the_state(state, write_schema):
    path = write_schema()
    before, text = state(path), path.read_text()
    path.write_text(text.replace("B-PER", "B-ORG").replace("I-PER", "I-ORG"))
    assert state(path) != before
    path.write_text(text)
    assert state(path) == before


def test_removing_the_schema_changes_the_state_once(state, write_schema):
    path = write_schema()
    before = state(path)
    path.unlink()
    removed = state(path)
    assert removed != before and state(path) == removed
    write_schema("PER", "ORG")
    assert state(path) == removed
    path.unlink()
    assert state(path) not in (before, removed)
