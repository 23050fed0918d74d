"""A workdir that follows spans of data: the window rolls, the gate compares with what serves, type by type."""

import json

import pytest

from components.validation.curated_schema import TOKEN_DRIFT
from tests.e2e.made_corpus import write_corpus

pytestmark = pytest.mark.slow

# Only the types decide, and drift is told and no more.
TYPES_DECIDE = ("--set", "gate.tolerance=1", "--set", "gate.type_support=10", "--set", "drift=warn")


def over_time(teller):
    """Runs on growing spans in one workdir; each run's result by name."""
    days, work, program = teller.folder / "days", teller.folder / "work", teller.program
    kept = {"work": work}

    def run(name, *more):
        kept[name] = program.run(days, work, "--set", "window=2", *more)

    for number in (1, 2):
        write_corpus(days / f"span-{number}", seed=number)
    run("first", "--set", "spans.newest=held-out")
    golden = teller.corpus("golden", seed=9)
    # Persons and places are mixed up from here on, and span 3 has few of either.
    write_corpus(days / "span-2" / "version-1", seed=4, swapped=True)
    write_corpus(days / "span-3", seed=3, swapped=True, only=(2,) * 4 + (3,))
    measured = (
        *TYPES_DECIDE,
        "--set",
        f"golden={golden / 'test.conll'}",
        "--set",
        "training.warm_start=true",
    )
    run("swapped", *measured)
    run("forced", *measured, "--force-baseline")
    kept["rollback"] = program.command("models", "rollback", "--workdir", work)
    run("after rollback", *measured)
    return kept


STORIES = {"over time": over_time}


@pytest.fixture
def kept(told):
    return told("over time")


def outcome(result):
    return json.loads(result.kept("outcome.json"))


def test_the_newest_span_is_held_out_to_evaluate_on(kept):
    first = outcome(kept["first"])
    assert kept["first"].code == 0, kept["first"]
    assert first["evaluated_on"] == "span 2, held out"
    assert first["spans"] == [{"number": 1, "version": 0}, {"number": 2, "version": 0}]
    assert "Entities on span 2, held out" in kept["first"].out
    assert "days: train 300, dev 80, test 460 sentences" in kept["first"].out


def test_spans_alike_do_not_drift(kept):
    drift = outcome(kept["first"])["drift"]
    assert {one["of"] for one in drift} == {
        "tags",
        "token frequencies",
        "sentence length",
        "out-of-vocabulary rate",
    }
    assert not any(one["past"] for one in drift)
    assert "Drift, span 2 against those before it: " in kept["first"].out


def test_the_window_rolls_and_takes_the_newest_version(kept):
    assert outcome(kept["swapped"])["spans"] == [
        {"number": 2, "version": 1},
        {"number": 3, "version": 0},
    ]
    assert "Trained on spans 2 version 1, 3." in kept["swapped"].out


def test_drift_is_told_and_stops_nothing_where_that_is_asked_for(kept):
    past = [one for one in outcome(kept["swapped"])["drift"] if one["past"]]
    assert {one["between"] for one in past} == {"span 3 against those before it"}
    [tokens] = [one for one in past if one["of"] == "token frequencies"]
    assert tokens["value"] > tokens["threshold"] == TOKEN_DRIFT
    assert (
        f"token frequencies {tokens['value']:.3f}, past {tokens['threshold']}"
        in kept["swapped"].out
    )


def test_tfx_knows_the_span_and_version_of_examples(kept):
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(kept["work"] / "metadata.sqlite")
    found = [
        one.properties
        for one in metadata_store.MetadataStore(config).get_artifacts_by_type("Examples")
    ]
    spans = {(one["span"].int_value, one["version"].int_value) for one in found if "span" in one}
    assert spans == {(2, 0), (3, 0)}


def test_a_golden_set_is_evaluated_on(kept):
    swapped = outcome(kept["swapped"])
    assert swapped["evaluated_on"] == "the golden set test.conll"
    assert "test 80 sentences" in kept["swapped"].out


def test_training_starts_from_the_weights_of_the_model_that_serves(kept):
    assert "from the model that serves: 16 of 16 weights" in kept["swapped"].out
    assert kept["swapped"].nodes["WarmStartResolver"][0] == "ran"


def test_a_model_whose_types_are_mixed_up_is_refused_by_the_types_alone(kept):
    swapped = outcome(kept["swapped"])
    assert kept["swapped"].code == 3 and not swapped["blessed"]
    assert [reason.partition(":")[0] for reason in swapped["reasons"]] == ["LOC", "PER"]
    assert all("gate.type_tolerance" in reason for reason in swapped["reasons"])
    assert swapped["before"]["f1"] > swapped["overall"]["f1"]
    assert kept["swapped"].versions == kept["first"].versions


def test_without_the_comparison_it_is_published_and_said_so(kept):
    forced = kept["forced"]
    assert forced.code == 0 and len(forced.versions) == 2
    assert forced.nodes["Trainer"][0] == "cached" and forced.nodes["Evaluator"][0] == "ran"
    assert outcome(forced)["forced"] and outcome(forced)["before"] is None
    assert "as --force-baseline asks: gate.minimum_f1 alone decides" in forced.out


def test_after_a_rollback_the_model_that_serves_again_is_what_is_compared_with(kept):
    """As it was, when it served before: so all of it is cached, for all that training would start from that model."""
    assert kept["rollback"].code == 0, kept["rollback"]
    after = kept["after rollback"]
    assert after.versions == kept["first"].versions
    assert outcome(after)["before"] == outcome(kept["swapped"])["before"]
    assert after.code == 3 and after.ran == []
    assert outcome(after)["reasons"] == outcome(kept["swapped"])["reasons"]
