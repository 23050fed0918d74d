"""One workdir from its first run on: cached reruns, changes of settings, sources, data and contract, and the gate."""

import json
import shutil
import time

import pytest

pytestmark = pytest.mark.e2e

NODES = [
    "CorpusExampleGen",
    "StatisticsGen",
    "Contract",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "Pusher",
]


def life(teller):
    """Runs in one workdir; each run's result by name."""
    first = teller.first()
    program, data, work = first.program, first.data, first.work
    kept = {"work": work, "first": first.result}
    contract = work / "schema" / "schema.pbtxt"

    kept["contract"] = contract.read_text()
    kept["tree"] = sorted(path.relative_to(work / "serving").as_posix() for path in (work / "serving").rglob("*"))
    kept["again"] = program.run(data, work)
    kept["local"] = program.run(data, work, "--orchestrator", "local")

    kept["tolerance"] = program.run(data, work, "--set", "gate.tolerance=0.03")
    kept["refused"] = program.run(data, work, "--set", "gate.minimum_f1=1.0")

    [version] = versions(work)
    shutil.rmtree(version)
    kept["lost"] = program.run(data, work)

    edit(program.source / "components" / "evaluation" / "entity_metric.py")
    kept["metric edited"] = program.run(data, work)
    edit(program.source / "components" / "ingest" / "examples.py")
    with program.started(data, work) as process:
        process.wait_for(lambda: " StatisticsGen " in process.out)
        process.kill()
        kept["reader edited"] = process.result()

    unknown = teller.corpus("unknown", firms=True, seed=2)
    kept["unknown type"] = program.run(unknown, work)
    contract.write_text(
        kept["contract"].replace('  value: "O"\n', '  value: "O"\n  value: "B-ORG"\n  value: "I-ORG"\n')
    )
    kept["drift"] = program.run(teller.corpus("drift", only=(2,) * 30 + (3,)), work)
    kept["allowed"] = program.run(unknown, work, "--set", "gate.tolerance=0.3")
    kept["contract after"] = contract.read_text()
    kept["swapped"] = program.run(teller.corpus("swapped", swapped=True, seed=3), work)
    kept["models"] = [
        json.loads(path.read_text())
        for path in sorted(
            (work / "artifacts" / "Trainer" / "model").glob("*/Format-Serving/assets.extra/ner.json"),
            key=lambda path: int(path.parts[-4]),
        )
    ]
    return kept


STORIES = {"life": life}


def versions(work):
    return [path for path in sorted((work / "serving" / "ner").iterdir()) if path.name != ".latest"]


def edit(source):
    source.write_text(source.read_text() + "\n# A remark.\n")


@pytest.fixture
def kept(told):
    return told("life")


def test_the_first_run_publishes(kept):
    first = kept["first"]
    assert (first.code, first.err) == (0, "")
    assert len(first.versions) == 1 and first.versions[0].isdigit()
    assert f"Published: {kept['work'] / 'serving' / 'ner' / first.versions[0]}" in first.out


def test_the_first_run_says_of_each_node_that_it_ran_and_why(kept):
    nodes = kept["first"].nodes
    assert [node for node in nodes if not node.endswith("Before")] == NODES
    assert {nodes[node] for node in NODES} == {("ran", "first run")}
    assert nodes["DataBefore"] == nodes["ModelBefore"] == ("ran", "looks anew each time")


def test_the_first_run_shows_epochs_and_scores(kept):
    first = kept["first"]
    assert first.epochs == [1, 2, 3]
    rows = [line.split()[0] for line in first.out.partition("Entities on test")[2].splitlines()[2:5]]
    assert rows == ["LOC", "PER", "all"]
    assert "No earlier model to compare with" in first.out


def test_the_terminal_shows_nothing_of_tensorflow_or_tfx(kept):
    for name in ("first", "again", "local", "refused", "unknown type", "swapped"):
        told = kept[name].out + kept[name].err
        assert not any(mark in told for mark in ("INFO", "WARNING", "tensorflow", "absl", "oneDNN", "Traceback")), name


def test_the_log_file_holds_what_tfx_said(kept):
    assert "node CorpusExampleGen is running" in kept["first"].kept("log.txt")


def test_the_configuration_is_kept_with_the_run(kept):
    text = kept["first"].kept("config.yaml")
    assert "lstm_units: 16" in text and f"workdir: {kept['work']}" in text and "password" not in text


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
    assert [one["node"] for one in outcome["nodes"] if not one["node"].endswith("Before")] == NODES
    assert outcome["overall"]["f1"] > 0.5, "the story needs a model that has learnt something"
    lengths = outcome["by_length"].values()
    assert sum(scores["support"] for scores in lengths) == outcome["overall"]["support"]


@pytest.mark.parametrize("name", ["again", "local"])
def test_the_same_again_runs_nothing_and_says_so(kept, name):
    again = kept[name]
    assert (again.code, again.err, again.ran) == (0, "", [])
    assert {again.nodes[node] for node in NODES} == {("cached", "same inputs, settings and code as before")}
    assert again.versions == kept["first"].versions and again.epochs == []


def test_the_same_again_shows_the_same_scores(kept):
    first, again = (json.loads(kept[name].kept("outcome.json")) for name in ("first", "again"))
    for key in ("overall", "per_type", "by_length", "before", "published"):
        assert first[key] == again[key]


def test_another_setting_of_the_gate_reruns_only_the_evaluator_and_what_follows(kept):
    result = kept["tolerance"]
    assert result.code == 0 and result.ran == ["Evaluator", "Pusher"]
    assert result.nodes["Evaluator"][1].startswith("changed: ")
    assert result.versions == kept["first"].versions


def test_a_bound_that_is_missed_refuses_the_model(kept):
    refused = kept["refused"]
    assert refused.code == 3 and refused.err == ""
    assert "Not published: F1 is 0." in refused.out and "at least 1 is asked for (gate.minimum_f1)" in refused.out
    assert refused.versions == kept["first"].versions


def test_a_deleted_version_is_published_again(kept):
    lost = kept["lost"]
    assert lost.code == 0 and lost.ran == ["Pusher"]
    assert len(lost.versions) == 1
    assert f"Published: {kept['work'] / 'serving' / 'ner' / lost.versions[0]}" in lost.out


def test_a_change_of_the_metrics_source_reruns_the_evaluator_and_what_follows(kept):
    assert kept["metric edited"].code == 0
    assert kept["metric edited"].ran == ["Evaluator", "Pusher"]


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
            "breaks the contract",
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
    assert "drift" not in drift.nodes and "Transform" not in drift.nodes
    assert all(part in drift.err for part in ("breaks the contract", "feature tags", "Jensen-Shannon"))


def test_the_contract_of_the_first_run_is_kept(kept):
    assert '"tags"' in kept["contract"] and '"B-PER"' in kept["contract"]
    assert kept["contract after"] == kept["contract"].replace(
        '  value: "O"\n', '  value: "O"\n  value: "B-ORG"\n  value: "I-ORG"\n'
    )


def test_an_edited_contract_lets_the_new_type_through(kept):
    allowed = kept["allowed"]
    assert (allowed.code, allowed.err) == (0, "")
    assert allowed.nodes["Contract"][0] == "ran" and "ORG" in allowed.out
    assert len(allowed.versions) == 2


def test_a_model_on_changed_data_is_compared_with_the_one_before(kept):
    outcome = json.loads(kept["allowed"].kept("outcome.json"))
    assert outcome["before"] and outcome["before"]["support"] == outcome["overall"]["support"]
    assert f"The model before it: F1 {outcome['before']['f1']:.4f} on the same data" in kept["allowed"].out


def test_beside_another_model_the_scores_are_of_the_types_alone(kept):
    """TFMA adds the difference of each metric between the two models."""
    outcome = json.loads(kept["allowed"].kept("outcome.json"))
    assert sorted(outcome["per_type"]) == ["LOC", "ORG", "PER"]
    assert set(outcome["recall_by_novelty"]) <= {"seen", "seen_as_other", "unseen"}
    assert "diff" not in kept["allowed"].out


def test_a_much_worse_model_is_refused_against_the_one_before(kept):
    swapped = kept["swapped"]
    assert swapped.code == 3
    assert "lower than the model's before it; 0.02 is allowed (gate.tolerance)" in swapped.out
    assert swapped.versions == kept["allowed"].versions


def test_a_type_that_is_absent_from_the_data_keeps_its_labels(kept):
    assert kept["models"][-1]["corpus"] == "swapped"
    assert (
        kept["models"][-1]["labels"]
        == kept["models"][-2]["labels"]
        == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]
    )


def test_every_run_has_a_folder_of_its_own(kept):
    assert len(set(kept["swapped"].runs)) == 12
    assert time.strftime("%Y") in kept["swapped"].runs[0].name
