"""A workdir over time: rolled back, held, promoted, pruned; and what its history tells of it."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ANYTHING = ("--set=gate.tolerance=1", "--set=gate.type_tolerance=1", "--set=training.epochs=2")


def history(teller):
    """What each command said, in the order of the keys."""
    program, work = teller.program, teller.folder / "work"
    a, b = (
        teller.corpus("a", train=120, dev=40, test=40),
        teller.corpus("b", train=120, dev=40, test=40, seed=2),
    )

    def told(*arguments):
        return program.command(*arguments, "--workdir", work)

    kept = {"work": work}
    kept["first"] = program.run(a, work, *ANYTHING, "--because", "the first of all")
    kept["second"] = program.run(b, work, *ANYTHING)
    kept["back"] = told("models", "rollback", "--because", "it was bad")
    kept["held"] = program.run(
        a, work, *ANYTHING, "--set=training.seed=2", "--set=model.dropout=0.2"
    )
    kept["held version"] = json.loads(kept["held"].kept("outcome.json"))["version"]
    kept["listed while held"] = json.loads(told("models", "list", "--json", "-").out)
    kept["verified while held"] = told("runs", "verify")
    kept["promoted"] = told("models", "promote", kept["held version"])
    kept["models pruned"] = told("models", "prune", "--keep", "1")
    kept["pruned"] = told("runs", "prune", "--keep", "1", "--json", "-")
    kept["verified after pruning"] = told("runs", "verify")
    kept["again"] = program.run(b, work, *ANYTHING)
    kept["refused"] = program.run(Path(teller.folder / "nothing"), work)
    kept["runs"] = json.loads(told("runs", "--json", "-").out)["runs"]
    kept["one"] = told("runs", kept["held"].runs[-1].name)
    kept["verified"] = told("runs", "verify")
    kept["models"] = json.loads(told("models", "list", "--json", "-").out)["models"]
    return kept


STORIES = {"history": history}


@pytest.fixture
def kept(told):
    return told("history")


def test_two_models_were_published(kept):
    assert (kept["first"].code, kept["second"].code) == (0, 0) and len(kept["second"].versions) == 2


def test_after_the_rollback_the_first_serves(kept):
    assert (
        kept["back"].code == 0 and f"version {kept['first'].versions[0]} serves" in kept["back"].out
    )
    states = {model["version"]: model["state"] for model in kept["listed while held"]["models"]}
    assert states == {
        int(kept["first"].versions[0]): "serving",
        int(kept["second"].versions[1]): "withdrawn",
        int(kept["held version"]): "held",
    }


def test_a_run_after_the_rollback_trains_and_measures_and_is_held(kept):
    held = kept["held"]
    assert held.code == 3 and "Trainer" in held.ran and held.versions == kept["first"].versions
    assert "Not live: held since the rollback" in held.out and "it was bad" in held.out
    assert f"`tfx-ner models promote {kept['held version']}`" in held.out


def test_promoted_it_serves(kept):
    assert kept["promoted"].code == 0
    assert kept["again"].versions[:2] == (kept["first"].versions[0], kept["held version"])


def test_what_only_pruned_runs_needed_is_gone(kept):
    assert kept["models pruned"].out == f"removed {kept['second'].versions[1]}\n"
    removed = json.loads(kept["pruned"].out)["artifacts"]
    assert any("/Trainer/model/" in path for path in removed) and not any(
        Path(path).exists() for path in removed
    )


def test_a_run_whose_artifacts_were_pruned_does_all_of_it_anew(kept):
    again = kept["again"]
    assert again.code == 0 and {"CorpusExampleGen", "Transform", "Trainer", "Pusher"} <= set(
        again.ran
    )


def test_metadata_and_files_agree_all_the_while(kept):
    for name in ("verified while held", "verified after pruning", "verified"):
        assert kept[name].code == 0 and "no faults" in kept[name].out, kept[name].out


def test_the_history_tells_what_happened(kept):
    assert [run["state"] for run in kept["runs"]] == [
        "published",
        "published",
        "held",
        "published",
        "bad input",
    ]
    assert kept["runs"][0]["because"] == "the first of all" and kept["runs"][-1]["error"]
    assert [run["code"] for run in kept["runs"]] == [0, 0, 3, 0, 2]
    assert all(run["overall"]["support"] for run in kept["runs"][:4])


def test_one_run_shows_what_was_cached_and_what_was_set(kept):
    told = kept["one"].out
    assert "cached: same inputs, settings and code as before" in told
    assert "training.seed 1 -> 2" in " ".join(told.split())
    assert kept["held version"] in told


def test_every_version_knows_the_run_that_it_is_from(kept):
    runs = {run["version"]: run["run"] for run in kept["runs"] if run["version"]}
    assert {str(model["version"]): model["run"]["run"] for model in kept["models"]} == {
        version: runs[version] for version in kept["again"].versions
    }
