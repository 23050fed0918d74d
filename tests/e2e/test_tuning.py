"""Hyperparameter tuning, and the runs after it."""

import re

import pytest
import yaml

pytestmark = pytest.mark.slow

SETTINGS = (
    "--set=training.epochs=1",
    "--set=model.word_dimensions=16",
    "--set=gate.minimum_f1=0.0",
)


def tune_and_run(context):
    """A run with --tune, and a run without it in the same workdir."""
    data, work = context.make_corpus("data"), context.folder / "work"
    command = ("run", "--data", data, "--workdir", work, *SETTINGS)
    results = {"work": work, "tuned": context.program.command(*command, "--tune", "2")}
    results["file"] = yaml.safe_load((work / "tuned.yaml").read_text())
    results["after"] = context.program.command(*command)
    results["trainings"] = sorted(
        path.name for path in (work / "artifacts" / "Trainer" / "model").iterdir()
    )
    results["configurations"] = [
        yaml.safe_load((run / "config.yaml").read_text())
        for run in sorted((work / "runs").iterdir())
    ]
    return results


SCENARIOS = {"tuning": tune_and_run}


@pytest.fixture
def results(scenario_result):
    return scenario_result("tuning")


def test_each_trial_is_printed_and_the_first_has_the_current_settings(results):
    trials = re.findall(
        r"^  trial +(\d)/2  dev F1 (\d\.\d+)  (.+)$", results["tuned"].out, re.MULTILINE
    )
    assert results["tuned"].code == 0, results["tuned"].err
    assert [number for number, _, _ in trials] == ["1", "2"]
    assert (
        "learning_rate 0.004" in trials[0][2]
        and "lstm_units 100" in trials[0][2]
        and trials[0][2] != trials[1][2]
    )


def test_the_settings_of_the_best_trial_are_saved_and_used(results):
    trials = re.findall(
        r"^  trial +\d/2  dev F1 (\d\.\d+)  (.+)$", results["tuned"].out, re.MULTILINE
    )
    best = max(trials, key=lambda trial: float(trial[0]))[1]
    expected = dict(part.rsplit(" ", 1) for part in best.split(", "))
    tuned = {
        name: f"{value:g}" for group in results["file"].values() for name, value in group.items()
    }
    assert tuned == expected
    for configuration in results["configurations"]:
        for group, values in results["file"].items():
            assert {name: configuration[group][name] for name in values} == values


def test_a_later_run_uses_the_tuned_settings_and_is_cached(results):
    assert results["after"].code == 0, results["after"].err
    assert results["after"].ran == [] and len(results["trainings"]) == 1
