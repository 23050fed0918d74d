"""A workdir with growing spans of data: the window, drift, warm start and the gate per type."""

import json

import pytest

from components.validation.curated_schema import TOKEN_DRIFT
from tests.e2e.synthetic_corpus import write_corpus

pytestmark = pytest.mark.slow

# Only the gate per type can refuse a model, and drift is reported without stopping the run.
TYPE_GATE_ONLY = (
    "--set",
    "gate.tolerance=1",
    "--set",
    "gate.type_support=10",
    "--set",
    "drift=warn",
)


def run_on_growing_spans(context):
    """Runs on growing spans in one workdir; returns each result by name."""
    days, work, program = context.folder / "days", context.folder / "work", context.program
    results = {"work": work}

    def run(name, *more):
        results[name] = program.run(days, work, "--set", "window=2", *more)

    for span in (1, 2):
        write_corpus(days / f"span-{span}", seed=span)
    run("first", "--set", "spans.newest=held-out")
    golden = context.make_corpus("golden", seed=9)
    # PER and LOC are exchanged from here on, and span 3 has few of either.
    write_corpus(days / "span-2" / "version-1", seed=4, swapped=True)
    write_corpus(days / "span-3", seed=3, swapped=True, only=(2,) * 4 + (3,))
    measured = (
        *TYPE_GATE_ONLY,
        "--set",
        f"golden={golden / 'test.conll'}",
        "--set",
        "training.warm_start=true",
    )
    run("swapped", *measured)
    run("forced", *measured, "--force-baseline")
    results["rollback"] = program.command("models", "rollback", "--workdir", work)
    run("after rollback", *measured)
    return results


SCENARIOS = {"growing spans": run_on_growing_spans}


@pytest.fixture
def results(scenario_result):
    return scenario_result("growing spans")


def outcome(result):
    return json.loads(result.run_file("outcome.json"))


def test_the_model_is_evaluated_on_the_held_out_newest_span(results):
    first = outcome(results["first"])
    assert results["first"].code == 0, results["first"]
    assert first["evaluated_on"] == "span 2, held out"
    assert first["spans"] == [{"number": 1, "version": 0}, {"number": 2, "version": 0}]
    assert "Entities on span 2, held out" in results["first"].out
    assert "days: train 300, dev 80, test 460 sentences" in results["first"].out


def test_similar_spans_do_not_drift(results):
    drift = outcome(results["first"])["drift"]
    assert {entry["of"] for entry in drift} == {
        "tags",
        "token frequencies",
        "sentence length",
        "out-of-vocabulary rate",
    }
    assert not any(entry["past"] for entry in drift)
    assert "Drift, span 2 against the spans before it: " in results["first"].out


def test_the_window_moves_and_takes_the_newest_version_of_a_span(results):
    assert outcome(results["swapped"])["spans"] == [
        {"number": 2, "version": 1},
        {"number": 3, "version": 0},
    ]
    assert "Trained on spans 2 version 1, 3." in results["swapped"].out


def test_drift_warn_reports_drift_and_does_not_stop_the_run(results):
    past = [entry for entry in outcome(results["swapped"])["drift"] if entry["past"]]
    assert {entry["between"] for entry in past} == {"span 3 against the spans before it"}
    [tokens] = [entry for entry in past if entry["of"] == "token frequencies"]
    assert tokens["value"] > tokens["threshold"] == TOKEN_DRIFT
    assert (
        f"token frequencies {tokens['value']:.3f}, past {tokens['threshold']}"
        in results["swapped"].out
    )


def test_ml_metadata_has_the_span_and_version_of_examples(results):
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(results["work"] / "metadata.sqlite")
    artifacts = metadata_store.MetadataStore(config).get_artifacts_by_type("Examples")
    spans = {
        (artifact.properties["span"].int_value, artifact.properties["version"].int_value)
        for artifact in artifacts
        if "span" in artifact.properties
    }
    assert spans == {(2, 0), (3, 0)}


def test_the_model_is_evaluated_on_the_golden_set(results):
    swapped = outcome(results["swapped"])
    assert swapped["evaluated_on"] == "the golden set test.conll"
    assert "test 80 sentences" in results["swapped"].out


def test_training_starts_from_the_weights_of_the_serving_model(results):
    [event] = [one for one in results["swapped"].events if one["event"] == "WarmStarted"]
    assert event["weights"] == event["of_weights"] > 0
    assert results["swapped"].nodes["WarmStartResolver"][0] == "ran"


def test_a_model_with_exchanged_types_is_refused_by_the_type_gate(results):
    swapped = outcome(results["swapped"])
    assert results["swapped"].code == 3 and not swapped["blessed"]
    assert [reason.partition(":")[0] for reason in swapped["reasons"]] == ["LOC", "PER"]
    assert all("gate.type_tolerance" in reason for reason in swapped["reasons"])
    assert swapped["before"]["f1"] > swapped["overall"]["f1"]
    assert results["swapped"].versions == results["first"].versions


def test_force_baseline_publishes_without_a_comparison_and_reports_it(results):
    forced = results["forced"]
    assert forced.code == 0 and len(forced.versions) == 2
    assert forced.nodes["Trainer"][0] == "cached" and forced.nodes["Evaluator"][0] == "ran"
    assert outcome(forced)["forced"] and outcome(forced)["before"] is None
    assert "as --force-baseline asks: gate.minimum_f1 alone decides" in forced.out


def test_after_a_rollback_the_new_model_is_compared_with_the_version_that_serves_again(results):
    """The same model serves as in the first run with `swapped`, so every node comes from the cache."""
    assert results["rollback"].code == 0, results["rollback"]
    after = results["after rollback"]
    assert after.versions == results["first"].versions
    assert outcome(after)["before"] == outcome(results["swapped"])["before"]
    assert after.code == 3 and after.ran == []
    assert outcome(after)["reasons"] == outcome(results["swapped"])["reasons"]
