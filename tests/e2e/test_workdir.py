"""Runs in one workdir: the cache, changes of settings, sources, data and schema, and the gates."""

import json
import shutil
import time
from pathlib import Path

import pytest

from pipeline.nodes import LOOKS_UP, RESOLVERS
from tests.e2e.program import SMALL_MODEL

pytestmark = pytest.mark.slow

NODES = [
    "CorpusExampleGen",
    "StatisticsGen",
    "CuratedSchema",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "TypeGate",
    "Pusher",
    "Report",
]


NOVELTY = {"seen in train": "seen", "seen with another type": "seen_as_other", "unseen": "unseen"}


def run_repeatedly(context):
    """Runs the pipeline with one change after another; returns each result by name."""
    first = context.first()
    program, data, work = first.program, first.data, first.work
    results = {"work": work, "first": first.result, "temporary files": first.temporary_files}
    schema = work / "schema" / "schema.pbtxt"

    results["schema"] = schema.read_text()
    results["tree"] = sorted(
        path.relative_to(work / "serving").as_posix() for path in (work / "serving").rglob("*")
    )
    results["outcome file"] = work.parent / "outcome.json"
    results["same"] = program.run(data, work, "--json", results["outcome file"])
    # The launcher and the Beam runner are not part of the cache keys.
    results["local"] = program.run(data, work, "--orchestrator", "local", "--set", "beam.workers=2")
    for name in ("scheduled", "nothing new"):
        results[name] = program.command(
            "schedule", "--once", "--data", data, "--workdir", work, *SMALL_MODEL
        )

    results["tolerance"] = program.run(data, work, "--set", "gate.tolerance=0.03")
    results["refused"] = program.run(data, work, "--set", "gate.minimum_f1=1.0")

    [version] = versions(work)
    shutil.rmtree(version)
    results["version deleted"] = program.run(data, work)

    edit(program.source / "components" / "evaluation" / "entity_metric.py")
    edit(program.source / "components" / "report" / "evaluation.py")
    broken = program.with_hooks(TEST_FAULT="components.report.evaluation:evaluate:out of ink")
    results["metric edited"] = broken.run(data, work)
    edit(program.source / "components" / "ingest" / "examples.py")
    with program.start_run(data, work) as process:
        process.wait_for(lambda: " StatisticsGen " in process.out)
        process.kill()
        results["reader edited"] = process.result()

    unknown = context.make_corpus("unknown", firms=True, seed=2)
    results["unknown type"] = program.run(unknown, work)
    schema.write_text(
        results["schema"].replace(
            '  value: "O"\n', '  value: "O"\n  value: "B-ORG"\n  value: "I-ORG"\n'
        )
    )
    results["drift"] = program.run(context.make_corpus("drift", only=(2,) * 30 + (3,)), work)
    results["allowed"] = program.run(unknown, work, "--set", "gate.tolerance=0.3")
    results["schema after"] = schema.read_text()
    results["swapped"] = program.run(context.make_corpus("swapped", swapped=True, seed=3), work)
    results["models"] = [
        json.loads(path.read_text())
        for path in sorted(
            (work / "artifacts" / "Trainer" / "model").glob(
                "*/Format-Serving/assets.extra/ner.json"
            ),
            key=lambda path: int(path.parts[-4]),
        )
    ]
    return results


SCENARIOS = {"workdir": run_repeatedly}


def versions(work):
    return [path for path in sorted((work / "serving" / "ner").iterdir()) if path.name != ".latest"]


def edit(source):
    source.write_text(source.read_text() + "\n# A comment.\n")


def report_of(result):
    [line] = [line for line in result.out.splitlines() if line.startswith("Report: ")]
    page = Path(line.removeprefix("Report: "))
    assert (
        page == result.runs[-1].parents[1] / "reports" / result.runs[-1].name / "index.html"
        and page.exists()
    )
    return json.loads(page.with_name("report.json").read_text(encoding="utf-8"))


@pytest.fixture
def results(scenario_result):
    return scenario_result("workdir")


@pytest.mark.parametrize("name", ["first", "same", "refused"])
def test_the_report_of_a_published_cached_or_refused_run_has_the_scores_of_its_outcome(
    results, name
):
    outcome, report = json.loads(results[name].run_file("outcome.json")), report_of(results[name])
    scores = {
        row["type"]: {key: row["score"][key] for key in outcome["overall"]}
        for row in report["evaluation"]["types"]
    }
    overall = {key: report["evaluation"]["overall"][key] for key in outcome["overall"]}
    assert overall == pytest.approx(outcome["overall"])
    assert {type_: pytest.approx(score) for type_, score in outcome["per_type"].items()} == scores
    slices = {
        NOVELTY[row["name"]]: row["score"] for row in report["evaluation"]["slices"]["novelty"]
    }
    recall = {name: score["recall"] for name, score in slices.items() if score["support"]}
    assert recall == pytest.approx(outcome["recall_by_novelty"])
    assert (report["verdict"]["published"], report["verdict"]["reasons"]) == (
        outcome["published"],
        outcome["reasons"],
    )


def test_beam_does_not_download_the_prism_runner(results):
    assert "Running pipeline with" not in results["first"].run_file("log.txt")
    assert "prism" not in results["first"].run_file("log.txt").lower()


def test_tfx_does_not_package_itself_for_local_workers(results):
    log = results["first"].run_file("log.txt")
    assert "already includes dependency" in log and "infer TFX Python dependency" not in log


def test_a_run_leaves_no_temporary_files(results):
    assert results["temporary files"] == []


def test_the_report_page_is_an_artifact_made_from_the_report_figures(results):
    from ml_metadata.proto import metadata_store_pb2
    from tfx.orchestration import metadata
    from tfx.types import artifact_utils

    report_of(results["first"])
    config = metadata_store_pb2.ConnectionConfig()
    run = results["first"].runs[-1]
    config.sqlite.filename_uri = str(run.parents[1] / "metadata.sqlite")
    with metadata.Metadata(config) as handle:
        store = handle.store
        pages = store.get_artifacts_by_type("ReportPage")
        [page] = [artifact for artifact in pages if artifact.uri.endswith(run.name)]
        [output_event] = store.get_events_by_artifact_ids([page.id])
        input_ids = [
            event.artifact_id
            for event in store.get_events_by_execution_ids([output_event.execution_id])
            if event.artifact_id != page.id
        ]
        [figures] = store.get_artifacts_by_id(input_ids)
        artifact = artifact_utils.deserialize_artifact(store.get_artifact_type("ReportPage"), page)
    assert artifact.type_name == "ReportPage" and Path(artifact.uri, "index.html").is_file()
    assert figures.type == "ReportFigures" and Path(figures.uri, "figures.json").is_file()


def test_a_report_has_the_epochs_the_nodes_and_the_earlier_runs(results):
    report, runs = report_of(results["refused"]), results["refused"].runs
    assert [epoch["epoch"] for epoch in report["training"]["epochs"]] == results["first"].epochs
    # An epoch is at least 100 batches of 16 sentences of at least four tokens: several passes over the corpus of 300.
    assert all(epoch["tokens"] > 100 * 16 * 4 for epoch in report["training"]["epochs"])
    assert all(epoch["learning_rate"] > 0 for epoch in report["training"]["epochs"])
    assert [
        node["name"] for node in report["provenance"]["nodes"] if node["name"] not in RESOLVERS
    ] == NODES
    assert {entry["run"] for entry in report["verdict"]["history"]} <= {
        run.name for run in runs[:-1]
    }
    assert report["verdict"]["history"][0]["published"]


def test_every_predicted_entity_has_a_score(results):
    """The other tokens of an entity have no score."""
    evaluation = report_of(results["first"])["evaluation"]
    predicted = evaluation["overall"]["tp"] + evaluation["overall"]["fp"]
    curve = evaluation["thresholds"]["overall"]["predicted"]
    assert predicted > 0 and (curve[0], curve[1]) == (predicted, predicted)
    assert sum(row["count"] for row in evaluation["reliability"]["bins"]) == predicted


def test_a_report_compares_the_new_model_with_the_serving_model(results):
    """The model of the swapped corpus against the model of the corpus before it."""
    swapped = results["swapped"]
    report, outcome = report_of(swapped), json.loads(swapped.run_file("outcome.json"))
    comparison = report["evaluation"]["comparison"]
    assert comparison["model"] in swapped.versions
    assert comparison["baseline"]["f1"] == pytest.approx(outcome["before"]["f1"])
    interval = comparison["interval"]
    assert interval["low"] <= comparison["difference"] <= interval["high"]


def test_an_error_in_the_report_does_not_stop_publishing(results):
    run = results["metric edited"]
    assert (run.code, run.err, run.nodes["Report"]) == (0, "", ("failed", ""))
    assert (
        "Published: " in run.out and "\nNo report: out of ink. Details are in the log: " in run.out
    )
    assert (
        "out of ink" in run.run_file("log.txt")
        and json.loads(run.run_file("outcome.json"))["published"]
    )


def test_the_first_run_publishes(results):
    first = results["first"]
    assert (first.code, first.err) == (0, "")
    assert len(first.versions) == 1 and first.versions[0].isdigit()
    assert f"Published: {results['work'] / 'serving' / 'ner' / first.versions[0]}" in first.out


def test_the_first_run_records_why_each_node_ran(results):
    nodes = results["first"].nodes
    assert [node for node in nodes if node not in RESOLVERS] == NODES
    assert {nodes[node] for node in NODES} == {("ran", "first run")}
    assert nodes["LatestAcceptedStatistics"] == nodes["ServingModelResolver"] == ("ran", LOOKS_UP)


def test_the_first_run_shows_epochs_and_scores(results):
    first = results["first"]
    assert first.epochs == [1, 2, 3]
    rows = [
        line.split()[0] for line in first.out.partition("Entities on test")[2].splitlines()[2:5]
    ]
    assert rows == ["LOC", "PER", "all"]
    assert "No earlier model to compare with" in first.out


def test_the_terminal_shows_nothing_of_tensorflow_or_tfx(results):
    for name in ("first", "same", "local", "refused", "unknown type", "swapped"):
        printed = results[name].out + results[name].err
        assert not any(
            mark in printed
            for mark in ("INFO", "WARNING", "tensorflow", "absl", "oneDNN", "Traceback")
        ), name


def test_the_log_file_has_the_messages_of_tfx(results):
    assert "node CorpusExampleGen is running" in results["first"].run_file("log.txt")


def test_the_run_folder_has_the_configuration(results):
    text = results["first"].run_file("config.yaml")
    assert (
        "lstm_units: 16" in text
        and f"workdir: {results['work']}" in text
        and "password" not in text
    )


def test_the_published_version_has_every_file(results):
    version = results["first"].versions[0]
    tree = set(results["tree"])
    assert {
        f"ner/{version}/{name}"
        for name in (
            "saved_model.pb",
            "variables/variables.index",
            "assets.extra/ner.json",
            "assets.extra/tf_serving_warmup_requests",
        )
    } <= tree
    assert not [name for name in tree if "partial" in name]


def test_the_run_folder_has_the_outcome(results):
    outcome = json.loads(results["first"].run_file("outcome.json"))
    assert outcome["blessed"] and outcome["before"] is None and outcome["evaluated_on"] == "test"
    assert sorted(outcome["per_type"]) == ["LOC", "PER"]
    assert [node["node"] for node in outcome["nodes"] if node["node"] not in RESOLVERS] == NODES
    assert outcome["overall"]["f1"] > 0.5, "the scenario needs a model that has learnt something"
    lengths = outcome["by_length"].values()
    assert sum(scores["support"] for scores in lengths) == outcome["overall"]["support"]


@pytest.mark.parametrize("name", ["same", "local"])
def test_an_unchanged_run_takes_every_node_from_the_cache(results, name):
    again = results[name]
    assert (again.code, again.err, again.ran) == (0, "", [])
    assert {again.nodes[node] for node in NODES} == {
        ("cached", "same inputs, settings and code as before")
    }
    assert again.versions == results["first"].versions and again.epochs == []


def test_the_first_scheduled_run_finds_the_model_published_and_the_second_no_new_data(results):
    scheduled, nothing_new = results["scheduled"], results["nothing new"]
    assert (scheduled.code, scheduled.err) == (0, "")
    assert " run: the first run on this schedule (process " in scheduled.out
    assert " nothing new to publish: the model is published already, F1 " in scheduled.out
    assert (nothing_new.code, nothing_new.err) == (0, "")
    assert nothing_new.out.count("\n") == 1 and nothing_new.out.endswith(": no run\n")


def test_json_writes_the_outcome_to_the_given_file(results):
    assert json.loads(results["outcome file"].read_text()) == json.loads(
        results["same"].run_file("outcome.json")
    )


def test_a_cached_run_has_the_scores_of_the_first(results):
    first, again = (
        json.loads(results[name].run_file("outcome.json")) for name in ("first", "same")
    )
    for key in ("overall", "per_type", "by_length", "before", "published"):
        assert first[key] == again[key]


def test_a_changed_gate_setting_reruns_the_evaluator_and_the_nodes_after_it(results):
    result = results["tolerance"]
    assert result.code == 0 and result.ran == ["Evaluator", "TypeGate", "Pusher"]
    assert result.nodes["Evaluator"][1].startswith("changed: ")
    assert result.versions == results["first"].versions


def test_a_model_below_the_minimum_f1_is_refused(results):
    refused = results["refused"]
    assert refused.code == 3 and refused.err == ""
    assert (
        "Not published: F1 is 0." in refused.out
        and "at least 1 is required (gate.minimum_f1)" in refused.out
    )
    assert refused.versions == results["first"].versions


def test_a_deleted_version_is_published_again(results):
    lost = results["version deleted"]
    assert lost.code == 0 and lost.ran == ["Pusher"]
    assert len(lost.versions) == 1
    assert f"Published: {results['work'] / 'serving' / 'ner' / lost.versions[0]}" in lost.out


def test_a_changed_source_file_of_the_metric_reruns_the_evaluator_and_the_nodes_after_it(results):
    assert results["metric edited"].code == 0
    assert results["metric edited"].ran == ["Evaluator", "TypeGate", "Pusher"]


def test_a_changed_source_file_of_the_reader_reruns_from_example_gen_on(results):
    nodes = results["reader edited"].nodes
    assert nodes["CorpusExampleGen"] == ("ran", "changed: code")
    assert nodes["StatisticsGen"] == ("ran", "changed: input examples")


def test_an_unknown_tag_stops_the_run_before_training(results):
    refused = results["unknown type"]
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert all(
        part in refused.err
        for part in (
            "breaks the schema",
            "in train, feature tags",
            "B-ORG",
            str(results["work"] / "schema" / "schema.pbtxt"),
        )
    )
    assert refused.nodes["DataGate"][0] == "failed" and "Transform" not in refused.nodes
    assert refused.versions == results["version deleted"].versions


def test_drift_of_the_tags_stops_the_run_before_training(results):
    drift = results["drift"]
    assert drift.code == 2 and drift.err.count("\n") == 1
    assert drift.nodes["DataGate"][0] == "failed" and "Transform" not in drift.nodes
    assert all(
        part in drift.err
        for part in (
            "the data has drifted, train against the run before: ",
            "tags: Jensen-Shannon",
            "--set drift=warn",
        )
    )


def test_later_runs_do_not_change_the_curated_schema(results):
    assert '"tags"' in results["schema"] and '"B-PER"' in results["schema"]
    assert results["schema after"] == results["schema"].replace(
        '  value: "O"\n', '  value: "O"\n  value: "B-ORG"\n  value: "I-ORG"\n'
    )


def test_a_type_added_to_the_curated_schema_is_accepted(results):
    allowed = results["allowed"]
    assert (allowed.code, allowed.err) == (0, "")
    assert allowed.nodes["CuratedSchema"][0] == "ran" and "ORG" in allowed.out
    assert len(allowed.versions) == 2


def test_a_model_of_new_data_is_compared_with_the_serving_model_on_the_same_data(results):
    outcome = json.loads(results["allowed"].run_file("outcome.json"))
    assert outcome["before"] and outcome["before"]["support"] == outcome["overall"]["support"]
    assert (
        f"Serving model: F1 {outcome['before']['f1']:.4f} on the same data"
        in results["allowed"].out
    )


def test_scores_per_type_hold_types_only_when_two_models_are_compared(results):
    """TFMA adds the differences between the two models, which are not types."""
    outcome = json.loads(results["allowed"].run_file("outcome.json"))
    assert sorted(outcome["per_type"]) == ["LOC", "ORG", "PER"]
    assert set(outcome["recall_by_novelty"]) <= {"seen", "seen_as_other", "unseen"}
    assert "diff" not in results["allowed"].out


def test_a_model_much_worse_than_the_serving_model_is_refused(results):
    swapped = results["swapped"]
    assert swapped.code == 3
    assert "lower than the serving model's; 0.02 is allowed (gate.tolerance)" in swapped.out
    assert swapped.versions == results["allowed"].versions


def test_a_type_without_examples_keeps_its_labels(results):
    assert results["models"][-1]["corpus"] == "swapped"
    assert (
        results["models"][-1]["labels"]
        == results["models"][-2]["labels"]
        == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]
    )


def test_every_run_has_its_own_folder(results):
    assert len(set(results["swapped"].runs)) == 13  # one of them by the schedule
    assert time.strftime("%Y") in results["swapped"].runs[0].name
