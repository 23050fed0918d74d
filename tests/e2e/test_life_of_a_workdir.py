"""One workdir from its first run on: cached reruns, changes of settings, sources, data and contract, and the gate."""

import json
import shutil
import time
from pathlib import Path

import pytest

from pipeline.nodes import LOOKS_UP, RESOLVERS
from tests.e2e.kills import with_hooks
from tests.e2e.program import SMALL

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


def life(teller):
    """Runs in one workdir; each run's result by name."""
    first = teller.first()
    program, data, work = first.program, first.data, first.work
    kept = {"work": work, "first": first.result, "left over": first.left_over}
    contract = work / "schema" / "schema.pbtxt"

    kept["contract"] = contract.read_text()
    kept["tree"] = sorted(
        path.relative_to(work / "serving").as_posix() for path in (work / "serving").rglob("*")
    )
    kept["again figures"] = work.parent / "again.json"
    kept["again"] = program.run(data, work, "--json", kept["again figures"])
    # What launches the nodes, and where Beam runs, is no part of what comes of them.
    kept["local"] = program.run(data, work, "--orchestrator", "local", "--set", "beam.workers=2")
    for name in ("scheduled", "nothing new"):
        kept[name] = program.command(
            "schedule", "--once", "--data", data, "--workdir", work, *SMALL
        )

    kept["tolerance"] = program.run(data, work, "--set", "gate.tolerance=0.03")
    kept["refused"] = program.run(data, work, "--set", "gate.minimum_f1=1.0")

    [version] = versions(work)
    shutil.rmtree(version)
    kept["lost"] = program.run(data, work)

    edit(program.source / "components" / "evaluation" / "entity_metric.py")
    edit(program.source / "components" / "report" / "evaluation.py")
    broken = with_hooks(program, TEST_FAULT="components.report.evaluation:evaluate:out of ink")
    kept["metric edited"] = broken.run(data, work)
    edit(program.source / "components" / "ingest" / "examples.py")
    with program.started(data, work) as process:
        process.wait_for(lambda: " StatisticsGen " in process.out)
        process.kill()
        kept["reader edited"] = process.result()

    unknown = teller.corpus("unknown", firms=True, seed=2)
    kept["unknown type"] = program.run(unknown, work)
    contract.write_text(
        kept["contract"].replace(
            '  value: "O"\n', '  value: "O"\n  value: "B-ORG"\n  value: "I-ORG"\n'
        )
    )
    kept["drift"] = program.run(teller.corpus("drift", only=(2,) * 30 + (3,)), work)
    kept["allowed"] = program.run(unknown, work, "--set", "gate.tolerance=0.3")
    kept["contract after"] = contract.read_text()
    kept["swapped"] = program.run(teller.corpus("swapped", swapped=True, seed=3), work)
    kept["models"] = [
        json.loads(path.read_text())
        for path in sorted(
            (work / "artifacts" / "Trainer" / "model").glob(
                "*/Format-Serving/assets.extra/ner.json"
            ),
            key=lambda path: int(path.parts[-4]),
        )
    ]
    return kept


STORIES = {"life": life}


def versions(work):
    return [path for path in sorted((work / "serving" / "ner").iterdir()) if path.name != ".latest"]


def edit(source):
    source.write_text(source.read_text() + "\n# A remark.\n")


def report_of(result):
    [line] = [line for line in result.out.splitlines() if line.startswith("Report: ")]
    page = Path(line.removeprefix("Report: "))
    assert (
        page == result.runs[-1].parents[1] / "reports" / result.runs[-1].name / "index.html"
        and page.exists()
    )
    return json.loads(page.with_name("report.json").read_text(encoding="utf-8"))


@pytest.fixture
def kept(told):
    return told("life")


@pytest.mark.parametrize("name", ["first", "again", "refused"])
def test_a_run_leaves_a_report_with_its_scores_whatever_came_of_it(kept, name):
    outcome, report = json.loads(kept[name].kept("outcome.json")), report_of(kept[name])
    scores = {
        one["type"]: {part: one["score"][part] for part in outcome["overall"]}
        for one in report["evaluation"]["types"]
    }
    overall = {part: report["evaluation"]["overall"][part] for part in outcome["overall"]}
    assert overall == pytest.approx(outcome["overall"])
    assert {type_: pytest.approx(parts) for type_, parts in outcome["per_type"].items()} == scores
    parts = {
        NOVELTY[part["name"]]: part["score"] for part in report["evaluation"]["slices"]["novelty"]
    }
    recall = {name: score["recall"] for name, score in parts.items() if score["support"]}
    assert recall == pytest.approx(outcome["recall_by_novelty"])
    assert (report["verdict"]["published"], report["verdict"]["reasons"]) == (
        outcome["published"],
        outcome["reasons"],
    )


def test_beam_looks_for_no_program_in_the_network(kept):
    assert "Running pipeline with" not in kept["first"].kept("log.txt")
    assert "prism" not in kept["first"].kept("log.txt").lower()


def test_tfx_packs_nothing_for_workers_that_have_it(kept):
    log = kept["first"].kept("log.txt")
    assert "already includes dependency" in log and "infer TFX Python dependency" not in log


def test_nothing_stays_in_the_temporary_folder(kept):
    assert kept["left over"] == []


def test_its_page_is_an_artifact_made_from_its_figures(kept):
    from ml_metadata.proto import metadata_store_pb2
    from tfx.orchestration import metadata
    from tfx.types import artifact_utils

    report_of(kept["first"])
    config = metadata_store_pb2.ConnectionConfig()
    run = kept["first"].runs[-1]
    config.sqlite.filename_uri = str(run.parents[1] / "metadata.sqlite")
    with metadata.Metadata(config) as handle:
        store = handle.store
        [page] = [
            one for one in store.get_artifacts_by_type("ReportPage") if one.uri.endswith(run.name)
        ]
        [made] = store.get_events_by_artifact_ids([page.id])
        read = [
            one
            for one in store.get_events_by_execution_ids([made.execution_id])
            if one.artifact_id != page.id
        ]
        [figures] = store.get_artifacts_by_id([one.artifact_id for one in read])
        found = artifact_utils.deserialize_artifact(store.get_artifact_type("ReportPage"), page)
    assert found.type_name == "ReportPage" and Path(found.uri, "index.html").is_file()
    assert figures.type == "ReportFigures" and Path(figures.uri, "figures.json").is_file()


def test_a_report_has_the_epochs_and_the_nodes_and_the_runs_before(kept):
    report, runs = report_of(kept["refused"]), kept["refused"].runs
    assert [epoch["epoch"] for epoch in report["training"]["epochs"]] == kept["first"].epochs
    # 100 steps of 16 sentences, none shorter than four tokens: the corpus, of 300, is read several times.
    assert all(epoch["tokens"] > 100 * 16 * 4 for epoch in report["training"]["epochs"])
    assert all(epoch["learning_rate"] > 0 for epoch in report["training"]["epochs"])
    assert [
        node["name"] for node in report["provenance"]["nodes"] if node["name"] not in RESOLVERS
    ] == NODES
    assert {one["run"] for one in report["verdict"]["history"]} <= {run.name for run in runs[:-1]}
    assert report["verdict"]["history"][0]["published"]


def test_every_found_entity_has_its_score(kept):
    """At the other tokens of an entity the score is none."""
    evaluation = report_of(kept["first"])["evaluation"]
    found = evaluation["overall"]["tp"] + evaluation["overall"]["fp"]
    curve = evaluation["thresholds"]["overall"]["found"]
    assert found > 0 and (curve[0], curve[1]) == (found, found)
    assert sum(part["count"] for part in evaluation["reliability"]["bins"]) == found


def test_a_report_compares_with_the_model_that_serves(kept):
    """The swapped corpus's model is measured beside that of the corpus before."""
    swapped = kept["swapped"]
    report, outcome = report_of(swapped), json.loads(swapped.kept("outcome.json"))
    against = report["evaluation"]["against"]
    assert against["model"] in swapped.versions
    assert against["before"]["f1"] == pytest.approx(outcome["before"]["f1"])
    assert against["interval"]["low"] <= against["difference"] <= against["interval"]["high"]


def test_a_fault_in_the_report_loses_nothing_else(kept):
    run = kept["metric edited"]
    assert (run.code, run.err, run.nodes["Report"]) == (0, "", ("failed", ""))
    assert (
        "Published: " in run.out and "\nNo report: out of ink. Details are in the log: " in run.out
    )
    assert "out of ink" in run.kept("log.txt") and json.loads(run.kept("outcome.json"))["published"]


def test_the_first_run_publishes(kept):
    first = kept["first"]
    assert (first.code, first.err) == (0, "")
    assert len(first.versions) == 1 and first.versions[0].isdigit()
    assert f"Published: {kept['work'] / 'serving' / 'ner' / first.versions[0]}" in first.out


def test_the_first_run_says_of_each_node_that_it_ran_and_why(kept):
    nodes = kept["first"].nodes
    assert [node for node in nodes if node not in RESOLVERS] == NODES
    assert {nodes[node] for node in NODES} == {("ran", "first run")}
    assert nodes["LatestAcceptedStatistics"] == nodes["ServingModelResolver"] == ("ran", LOOKS_UP)


def test_the_first_run_shows_epochs_and_scores(kept):
    first = kept["first"]
    assert first.epochs == [1, 2, 3]
    rows = [
        line.split()[0] for line in first.out.partition("Entities on test")[2].splitlines()[2:5]
    ]
    assert rows == ["LOC", "PER", "all"]
    assert "No earlier model to compare with" in first.out


def test_the_terminal_shows_nothing_of_tensorflow_or_tfx(kept):
    for name in ("first", "again", "local", "refused", "unknown type", "swapped"):
        told = kept[name].out + kept[name].err
        assert not any(
            mark in told
            for mark in ("INFO", "WARNING", "tensorflow", "absl", "oneDNN", "Traceback")
        ), name


def test_the_log_file_holds_what_tfx_said(kept):
    assert "node CorpusExampleGen is running" in kept["first"].kept("log.txt")


def test_the_configuration_is_kept_with_the_run(kept):
    text = kept["first"].kept("config.yaml")
    assert (
        "lstm_units: 16" in text and f"workdir: {kept['work']}" in text and "password" not in text
    )


def test_the_published_version_is_whole(kept):
    version = kept["first"].versions[0]
    tree = set(kept["tree"])
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


def test_the_outcome_is_kept_with_the_run(kept):
    outcome = json.loads(kept["first"].kept("outcome.json"))
    assert outcome["blessed"] and outcome["before"] is None and outcome["evaluated_on"] == "test"
    assert sorted(outcome["per_type"]) == ["LOC", "PER"]
    assert [one["node"] for one in outcome["nodes"] if one["node"] not in RESOLVERS] == NODES
    assert outcome["overall"]["f1"] > 0.5, "the story needs a model that has learnt something"
    lengths = outcome["by_length"].values()
    assert sum(scores["support"] for scores in lengths) == outcome["overall"]["support"]


@pytest.mark.parametrize("name", ["again", "local"])
def test_the_same_again_runs_nothing_and_says_so(kept, name):
    again = kept[name]
    assert (again.code, again.err, again.ran) == (0, "", [])
    assert {again.nodes[node] for node in NODES} == {
        ("cached", "same inputs, settings and code as before")
    }
    assert again.versions == kept["first"].versions and again.epochs == []


def test_the_schedule_finds_the_model_published_and_after_that_nothing_new(kept):
    scheduled, nothing_new = kept["scheduled"], kept["nothing new"]
    assert (scheduled.code, scheduled.err) == (0, "")
    assert " run: the first run on this schedule (process " in scheduled.out
    assert " nothing new to publish: the model is published already, F1 " in scheduled.out
    assert (nothing_new.code, nothing_new.err) == (0, "")
    assert nothing_new.out.count("\n") == 1 and nothing_new.out.endswith(": no run\n")


def test_a_run_writes_its_outcome_where_it_is_asked_to(kept):
    assert json.loads(kept["again figures"].read_text()) == json.loads(
        kept["again"].kept("outcome.json")
    )


def test_the_same_again_shows_the_same_scores(kept):
    first, again = (json.loads(kept[name].kept("outcome.json")) for name in ("first", "again"))
    for key in ("overall", "per_type", "by_length", "before", "published"):
        assert first[key] == again[key]


def test_another_setting_of_the_gate_reruns_only_the_evaluator_and_what_follows(kept):
    result = kept["tolerance"]
    assert result.code == 0 and result.ran == ["Evaluator", "TypeGate", "Pusher"]
    assert result.nodes["Evaluator"][1].startswith("changed: ")
    assert result.versions == kept["first"].versions


def test_a_bound_that_is_missed_refuses_the_model(kept):
    refused = kept["refused"]
    assert refused.code == 3 and refused.err == ""
    assert (
        "Not published: F1 is 0." in refused.out
        and "at least 1 is required (gate.minimum_f1)" in refused.out
    )
    assert refused.versions == kept["first"].versions


def test_a_deleted_version_is_published_again(kept):
    lost = kept["lost"]
    assert lost.code == 0 and lost.ran == ["Pusher"]
    assert len(lost.versions) == 1
    assert f"Published: {kept['work'] / 'serving' / 'ner' / lost.versions[0]}" in lost.out


def test_a_change_of_the_metrics_source_reruns_the_evaluator_and_what_follows(kept):
    assert kept["metric edited"].code == 0
    assert kept["metric edited"].ran == ["Evaluator", "TypeGate", "Pusher"]


def test_a_change_of_the_readers_source_reruns_from_the_reader_on(kept):
    nodes = kept["reader edited"].nodes
    assert nodes["CorpusExampleGen"] == ("ran", "changed: code")
    assert nodes["StatisticsGen"] == ("ran", "changed: input examples")


def test_an_unknown_tag_stops_the_run_before_training(kept):
    refused = kept["unknown type"]
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert all(
        part in refused.err
        for part in (
            "breaks the schema",
            "in train, feature tags",
            "B-ORG",
            str(kept["work"] / "schema" / "schema.pbtxt"),
        )
    )
    assert refused.nodes["DataGate"][0] == "failed" and "Transform" not in refused.nodes
    assert refused.versions == kept["lost"].versions


def test_drift_of_tags_stops_the_run_before_training(kept):
    drift = kept["drift"]
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


def test_the_contract_of_the_first_run_is_kept(kept):
    assert '"tags"' in kept["contract"] and '"B-PER"' in kept["contract"]
    assert kept["contract after"] == kept["contract"].replace(
        '  value: "O"\n', '  value: "O"\n  value: "B-ORG"\n  value: "I-ORG"\n'
    )


def test_an_edited_contract_lets_the_new_type_through(kept):
    allowed = kept["allowed"]
    assert (allowed.code, allowed.err) == (0, "")
    assert allowed.nodes["CuratedSchema"][0] == "ran" and "ORG" in allowed.out
    assert len(allowed.versions) == 2


def test_a_model_on_changed_data_is_compared_with_the_one_before(kept):
    outcome = json.loads(kept["allowed"].kept("outcome.json"))
    assert outcome["before"] and outcome["before"]["support"] == outcome["overall"]["support"]
    assert (
        f"Serving model: F1 {outcome['before']['f1']:.4f} on the same data" in kept["allowed"].out
    )


def test_beside_another_model_the_scores_are_of_the_types_alone(kept):
    """TFMA adds the difference of each metric between the two models."""
    outcome = json.loads(kept["allowed"].kept("outcome.json"))
    assert sorted(outcome["per_type"]) == ["LOC", "ORG", "PER"]
    assert set(outcome["recall_by_novelty"]) <= {"seen", "seen_as_other", "unseen"}
    assert "diff" not in kept["allowed"].out


def test_a_much_worse_model_is_refused_against_the_one_before(kept):
    swapped = kept["swapped"]
    assert swapped.code == 3
    assert "lower than the serving model's; 0.02 is allowed (gate.tolerance)" in swapped.out
    assert swapped.versions == kept["allowed"].versions


def test_a_type_that_is_absent_from_the_data_keeps_its_labels(kept):
    assert kept["models"][-1]["corpus"] == "swapped"
    assert (
        kept["models"][-1]["labels"]
        == kept["models"][-2]["labels"]
        == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]
    )


def test_every_run_has_a_folder_of_its_own(kept):
    assert len(set(kept["swapped"].runs)) == 13  # one of them by the schedule
    assert time.strftime("%Y") in kept["swapped"].runs[0].name
