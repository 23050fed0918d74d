"""The contract as a file: made once, read back, told apart from an edited one, made anew where it was removed."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contract():
    from components.validation import curated_schema

    return curated_schema


@pytest.fixture(scope="module")
def state():
    from components.validation.contract_component import state

    return state


@pytest.fixture
def made(contract, tmp_path):
    """Writes a contract as the component does on a first run."""

    def make(*types):
        path = tmp_path / "schema" / "schema.pbtxt"
        contract.write(contract.make(types or ("PER",)), path)
        (path.parent / ".schema.pbtxt.as-inferred").write_text(path.read_text())
        return path

    return make


def test_a_contract_closes_the_domain_of_tags_alone(contract):
    schema = contract.make(["PER", "LOC"])
    assert [(domain.name, list(domain.value)) for domain in schema.string_domain] == [
        ("tags", ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])
    ]
    assert [
        feature.name
        for feature in schema.feature
        if feature.domain or feature.HasField("string_domain")
    ] == ["tags"]


def test_a_contract_reads_back_with_its_types(contract, made):
    path = made("creative-work", "Ärzte")
    assert contract.types_of(contract.read(path)) == ("creative-work", "Ärzte")
    assert path.read_text().startswith("# The contract on this corpus")


def test_a_domain_may_stand_in_the_feature_itself(contract, tmp_path):
    path = tmp_path / "a.pbtxt"
    path.write_text(
        'feature { name: "tags" type: BYTES string_domain { value: "O" value: "B-X" value: "I-X" } }'
    )
    assert contract.types_of(contract.read(path)) == ("X",)


def test_a_contract_bounds_the_drift_of_all_that_is_compared(contract):
    bounded = [
        feature.name
        for feature in contract.make(["PER"]).feature
        if feature.HasField("drift_comparator")
    ]
    assert bounded == ["tokens", "tags", "length", "token_familiar"]


def test_an_older_contract_is_completed_by_whole_features_and_else_left_as_its_owner_has_it(
    contract, tmp_path
):
    path = tmp_path / "a.pbtxt"
    path.write_text(
        'feature { name: "tokens" type: BYTES presence { min_count: 5 } }'
        'feature { name: "tags" type: BYTES string_domain { value: "O" value: "B-X" value: "I-X" } }'
    )
    own = contract.read(path)
    completed = contract.completed(own)
    assert list(completed.feature[:2]) == list(own.feature)
    assert [feature.name for feature in completed.feature] == ["tokens", "tags"] + [
        feature.name
        for feature in contract.make(["X"]).feature
        if feature.name not in ("tokens", "tags")
    ]
    assert contract.completed(completed) == completed


def test_the_run_that_makes_it_and_the_next_are_the_same_to_the_cache(state, made, tmp_path):
    before = state(tmp_path / "schema" / "schema.pbtxt")
    assert state(made()) == before


def test_an_edit_is_another_state_and_its_undoing_the_old_one(state, made):
    path = made()
    before, text = state(path), path.read_text()
    path.write_text(text.replace("B-PER", "B-ORG").replace("I-PER", "I-ORG"))
    assert state(path) != before
    path.write_text(text)
    assert state(path) == before


def test_a_removed_contract_is_made_anew_and_then_kept(state, made):
    path = made()
    before = state(path)
    path.unlink()
    removed = state(path)
    assert removed != before and state(path) == removed
    made("PER", "ORG")
    assert state(path) == removed
    path.unlink()
    assert state(path) not in (before, removed)
