"""Rollback, hold, promotion and pruning in one workdir, and its run history."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PERMISSIVE = ("--set=gate.tolerance=1", "--set=gate.type_tolerance=1", "--set=training.epochs=2")


def manage_versions(context):
    """Runs the commands in the order of the keys; returns their results."""
    program, work = context.program, context.folder / "work"
    a, b = (
        context.make_corpus("a", train=120, dev=40, test=40),
        context.make_corpus("b", train=120, dev=40, test=40, seed=2),
    )

    def run_command(*arguments):
        return program.command(*arguments, "--workdir", work)

    results = {"work": work}
    results["first"] = program.run(a, work, *PERMISSIVE, "--reason", "the first of all")
    results["second"] = program.run(b, work, *PERMISSIVE)
    results["rollback"] = run_command("models", "rollback", "--reason", "it was bad")
    results["held"] = program.run(
        a, work, *PERMISSIVE, "--set=training.seed=2", "--set=model.dropout=0.2"
    )
    results["held version"] = json.loads(results["held"].run_file("outcome.json"))["version"]
    results["listed while held"] = json.loads(run_command("models", "list", "--json", "-").out)
    results["verified while held"] = run_command("runs", "verify")
    results["promoted"] = run_command("models", "promote", results["held version"])
    results["models pruned"] = run_command("models", "prune", "--keep", "1")
    results["pruned"] = run_command("runs", "prune", "--keep", "1", "--json", "-")
    results["verified after pruning"] = run_command("runs", "verify")
    results["again"] = program.run(b, work, *PERMISSIVE)
    results["refused"] = program.run(Path(context.folder / "nothing"), work)
    results["runs"] = json.loads(run_command("runs", "--json", "-").out)["runs"]
    results["one run"] = run_command("runs", results["held"].runs[-1].name)
    results["verified"] = run_command("runs", "verify")
    results["models"] = json.loads(run_command("models", "list", "--json", "-").out)["models"]
    return results


SCENARIOS = {"history": manage_versions}


@pytest.fixture
def results(scenario_result):
    return scenario_result("history")


def test_two_models_were_published(results):
    assert (results["first"].code, results["second"].code) == (0, 0) and len(
        results["second"].versions
    ) == 2


def test_after_a_rollback_the_first_version_serves(results):
    assert (
        results["rollback"].code == 0
        and f"version {results['first'].versions[0]} serves" in results["rollback"].out
    )
    states = {model["version"]: model["state"] for model in results["listed while held"]["models"]}
    assert states == {
        int(results["first"].versions[0]): "serving",
        int(results["second"].versions[1]): "withdrawn",
        int(results["held version"]): "held",
    }


def test_a_run_after_the_rollback_trains_a_model_that_is_held(results):
    held = results["held"]
    assert held.code == 3 and "Trainer" in held.ran and held.versions == results["first"].versions
    assert "Not live: held since the rollback" in held.out and "it was bad" in held.out
    assert f"`tfx-ner models promote {results['held version']}`" in held.out


def test_a_promoted_version_serves(results):
    assert results["promoted"].code == 0
    assert results["again"].versions[:2] == (results["first"].versions[0], results["held version"])


def test_pruning_removes_the_artifacts_of_pruned_runs(results):
    assert results["models pruned"].out == f"removed {results['second'].versions[1]}\n"
    removed = json.loads(results["pruned"].out)["artifacts"]
    assert any("/Trainer/model/" in path for path in removed) and not any(
        Path(path).exists() for path in removed
    )


def test_a_run_whose_artifacts_were_pruned_executes_its_nodes_again(results):
    again = results["again"]
    assert again.code == 0 and {"CorpusExampleGen", "Transform", "Trainer", "Pusher"} <= set(
        again.ran
    )


def test_verify_finds_no_faults_after_hold_pruning_and_further_runs(results):
    for name in ("verified while held", "verified after pruning", "verified"):
        assert results[name].code == 0 and "no faults" in results[name].out, results[name].out


def test_the_history_has_the_state_and_exit_code_of_each_run(results):
    assert [run["state"] for run in results["runs"]] == [
        "published",
        "published",
        "held",
        "published",
        "bad input",
    ]
    assert results["runs"][0]["because"] == "the first of all" and results["runs"][-1]["error"]
    assert [run["code"] for run in results["runs"]] == [0, 0, 3, 0, 2]
    assert all(run["overall"]["support"] for run in results["runs"][:4])


def test_the_details_of_a_run_show_cached_nodes_and_changed_settings(results):
    printed = results["one run"].out
    assert "cached: same inputs, settings and code as before" in printed
    assert "training.seed 1 -> 2" in " ".join(printed.split())
    assert results["held version"] in printed


def test_every_version_names_the_run_that_published_it(results):
    runs = {run["version"]: run["run"] for run in results["runs"] if run["version"]}
    assert {str(model["version"]): model["run"]["run"] for model in results["models"]} == {
        version: runs[version] for version in results["again"].versions
    }
