"""A search for settings, and the runs after it."""

import re

import pytest
import yaml

pytestmark = pytest.mark.slow

SETTINGS = (
    "--set=training.epochs=1",
    "--set=model.word_dimensions=16",
    "--set=gate.minimum_f1=0.0",
)


def tuning(teller):
    """A run with a search before it, and one without in the same workdir."""
    data, work = teller.corpus("data"), teller.folder / "work"
    command = ("run", "--data", data, "--workdir", work, *SETTINGS)
    kept = {"work": work, "tuned": teller.program.command(*command, "--tune", "2")}
    kept["file"] = yaml.safe_load((work / "tuned.yaml").read_text())
    kept["after"] = teller.program.command(*command)
    kept["trainings"] = sorted(
        path.name for path in (work / "artifacts" / "Trainer" / "model").iterdir()
    )
    kept["configurations"] = [
        yaml.safe_load((run / "config.yaml").read_text())
        for run in sorted((work / "runs").iterdir())
    ]
    return kept


STORIES = {"tuning": tuning}


@pytest.fixture
def kept(told):
    return told("tuning")


def test_each_trial_is_shown_and_the_first_one_is_the_settings_in_force(kept):
    trials = re.findall(
        r"^  trial +(\d)/2  dev F1 (\d\.\d+)  (.+)$", kept["tuned"].out, re.MULTILINE
    )
    assert kept["tuned"].code == 0, kept["tuned"].err
    assert [number for number, _, _ in trials] == ["1", "2"]
    assert (
        "learning_rate 0.004" in trials[0][2]
        and "lstm_units 100" in trials[0][2]
        and trials[0][2] != trials[1][2]
    )


def test_the_best_trial_is_kept_and_trained_with(kept):
    trials = re.findall(r"^  trial +\d/2  dev F1 (\d\.\d+)  (.+)$", kept["tuned"].out, re.MULTILINE)
    best = max(trials, key=lambda trial: float(trial[0]))[1]
    expected = dict(part.rsplit(" ", 1) for part in best.split(", "))
    found = {name: f"{value:g}" for group in kept["file"].values() for name, value in group.items()}
    assert found == expected
    for configuration in kept["configurations"]:
        for group, values in kept["file"].items():
            assert {name: configuration[group][name] for name in values} == values


def test_a_later_run_reads_them_and_finds_everything_cached(kept):
    assert kept["after"].code == 0, kept["after"].err
    assert kept["after"].ran == [] and len(kept["trainings"]) == 1
