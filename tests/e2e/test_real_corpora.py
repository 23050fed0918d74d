"""The first sentences of real corpora, in their own formats, from the file to a published and measured model."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
TYPES = {
    "wnut17": {"person", "location", "group", "corporation", "product", "creative-work"},
    "btc": {"PER", "LOC", "ORG"},
    "wikigold": {"PER", "LOC", "ORG", "MISC"},
    "bc5cdr": {"Chemical", "Disease"},
}
LINES = {"wnut17": 6_000, "btc": 5_000, "wikigold": 12_000, "bc5cdr": 5_000}
# A softmax is built faster than a CRF.
QUICK = ("--set", "training.epochs=6", "--set", "model.output=softmax", "--set", "training.learning_rate=0.03")


def story(name):
    def publish(teller):
        cut, work = teller.folder / name, teller.folder / "work"
        cut.mkdir()
        for source in (CORPORA / name).iterdir():
            if source.suffix in (".conll", ".tsv", ".txt"):
                (cut / source.name).write_bytes(beginning(source.read_bytes(), LINES[name]))
        run = teller.program.run(cut, work, *QUICK)
        paths = {kind: teller.folder / f"figures.{kind}" for kind in ("json", "conll")}
        evaluated = (
            teller.program.command(
                "evaluate",
                "--model",
                work / "serving" / "ner",
                "--data",
                cut,
                "--json",
                paths["json"],
                "--predictions",
                paths["conll"],
            )
            if run.versions
            else None
        )
        return {"run": run, "evaluated": evaluated, **paths}

    return publish


def beginning(content, lines):
    """About the first lines of a corpus, up to the end of a sentence."""
    first = content.split(b"\n")[:lines]
    while first and first[-1].strip():
        first.pop()
    return b"\n".join(first) + b"\n"


STORIES = {name: story(name) for name in TYPES} if CORPORA.is_dir() else {}


@pytest.fixture(params=TYPES)
def corpus(request):
    if not CORPORA.is_dir():
        pytest.skip("the real corpora are not here: expected a folder shared/corpora beside the project's")
    return request.param


def test_it_publishes_a_model_of_its_types(corpus, told):
    run = told(corpus)["run"]
    assert (run.code, run.err) == (0, ""), run
    assert len(run.versions) == 1
    assert set(json.loads(run.kept("outcome.json"))["per_type"]) <= TYPES[corpus]
    assert all(
        f"B-{name}" in (run.runs[0].parents[1] / "schema" / "schema.pbtxt").read_text() for name in TYPES[corpus]
    )


def test_evaluate_gives_the_figures_of_seqeval_and_of_the_run(corpus, told, seqeval_figures, rounded):
    kept = told(corpus)
    assert (kept["evaluated"].code, kept["evaluated"].err) == (0, "")
    figures = rounded(json.loads(kept["json"].read_text()))
    assert figures == seqeval_figures(kept["conll"])
    assert figures == rounded(json.loads(kept["run"].kept("outcome.json")))


def test_most_of_these_models_find_something(told):
    """Equal figures of models that find nothing would show little; wnut17's beginning is too short to learn from."""
    if not STORIES:
        pytest.skip("the real corpora are not here: expected a folder shared/corpora beside the project's")
    scores = {name: json.loads(told(name)["json"].read_text())["overall"]["f1"] for name in TYPES if name != "wnut17"}
    assert all(f1 > 0 for f1 in scores.values()), scores
