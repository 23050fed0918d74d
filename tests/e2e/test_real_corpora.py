"""The first sentences of real corpora, in their own formats, from the file to a published and measured model."""

import json
from functools import partial
from pathlib import Path

import pytest

from components.ner.tags import spans_of
from tests import nervaluate_counts

pytestmark = pytest.mark.slow

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
TYPES = {
    "wnut17": {"person", "location", "group", "corporation", "product", "creative-work"},
    "btc": {"PER", "LOC", "ORG"},
    "wikigold": {"PER", "LOC", "ORG", "MISC"},
    "bc5cdr": {"Chemical", "Disease"},
}
LINES = {"wnut17": 6_000, "btc": 5_000, "wikigold": 12_000, "bc5cdr": 5_000}
# A softmax is built faster than a CRF.
QUICK = (
    "--set",
    "training.epochs=6",
    "--set",
    "model.output=softmax",
    "--set",
    "training.learning_rate=0.03",
)


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


def dev_of_tweets(publish, teller):
    """btc, whose @names and #tags are cut, with what it reaches on dev by training's count and by `evaluate`."""
    kept = publish(teller)
    figures = teller.folder / "dev.json"
    serving = teller.folder / "work" / "serving" / "ner"
    said = teller.program.command(
        "evaluate",
        "--model",
        serving,
        "--data",
        teller.folder / "btc" / "dev.conll",
        "--json",
        figures,
    )
    (card,) = serving.glob("*/assets.extra/ner.json")
    return {
        **kept,
        "dev": said,
        "of_dev": figures,
        "in_training": json.loads(card.read_text(encoding="utf-8"))["dev"],
    }


def beginning(content, lines):
    """About the first lines of a corpus, up to the end of a sentence."""
    first = content.split(b"\n")[:lines]
    while first and first[-1].strip():
        first.pop()
    return b"\n".join(first) + b"\n"


STORIES = {name: story(name) for name in TYPES} if CORPORA.is_dir() else {}
if STORIES:
    STORIES["btc"] = partial(dev_of_tweets, STORIES["btc"])


@pytest.fixture(params=TYPES)
def corpus(request):
    if not CORPORA.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return request.param


def test_it_publishes_a_model_of_its_types(corpus, told):
    run = told(corpus)["run"]
    assert (run.code, run.err) == (0, ""), run
    assert len(run.versions) == 1
    assert set(json.loads(run.kept("outcome.json"))["per_type"]) <= TYPES[corpus]
    assert all(
        f"B-{name}" in (run.runs[0].parents[1] / "schema" / "schema.pbtxt").read_text()
        for name in TYPES[corpus]
    )


def test_evaluate_gives_the_figures_of_seqeval_and_of_the_run(
    corpus, told, seqeval_figures, rounded
):
    kept = told(corpus)
    assert (kept["evaluated"].code, kept["evaluated"].err) == (0, "")
    figures = rounded(json.loads(kept["json"].read_text()))
    assert figures == seqeval_figures(kept["conll"])
    assert figures == rounded(json.loads(kept["run"].kept("outcome.json")))


def test_training_counts_on_dev_as_evaluate_does(told):
    if not STORIES:
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    kept = told("btc")
    assert (kept["dev"].code, kept["dev"].err) == (0, "")
    overall = json.loads(kept["of_dev"].read_text())["overall"]
    assert overall["support"] > 0
    parts = ("precision", "recall", "f1", "support")
    assert {part: kept["in_training"][part] for part in parts} == pytest.approx(
        {part: overall[part] for part in parts}
    )


def test_the_report_has_the_figures_of_seqeval_and_of_nervaluate(corpus, told, seqeval_figures):
    kept = told(corpus)
    run = kept["run"].runs[-1]
    report = json.loads(
        (run.parents[1] / "reports" / run.name / "report.json").read_text(encoding="utf-8")
    )["evaluation"]
    parts = ("precision", "recall", "f1", "support")
    scores = {
        one["type"]: {part: round(one["score"][part], 4) for part in parts}
        for one in report["types"]
    }
    expected = seqeval_figures(kept["conll"])
    assert {part: round(report["overall"][part], 4) for part in parts} == expected["overall"]
    assert {type_: scores[type_] for type_ in expected["per_type"]} == expected["per_type"]
    assert all(
        not one["score"]["support"]
        for one in report["types"]
        if one["type"] not in expected["per_type"]
    )

    count = nervaluate_counts.nervaluate()
    overall, per_type = count(list(pairs_in(kept["conll"])), TYPES[corpus])
    assert report["matches"] == {way: pytest.approx(counts) for way, counts in overall.items()}
    matches = {one["type"]: one["matches"] for one in report["types"]}
    for type_, ways in per_type.items():
        assert matches[type_] == {way: pytest.approx(counts) for way, counts in ways.items()}


def pairs_in(conll):
    """True and found entities of each sentence that `evaluate --predictions` wrote."""
    gold, found = [], []
    for line in [*conll.read_text(encoding="utf-8").split("\n"), ""]:
        columns = line.split("\t")
        if len(columns) == 3 and columns[0] != "-DOCSTART-":
            gold.append(columns[1])
            found.append(columns[2])
        elif gold:
            yield spans_of(gold), spans_of(found)
            gold, found = [], []


def test_most_of_these_models_find_something(told):
    """Equal figures of models that find nothing would show little; wnut17's beginning is too short to learn from."""
    if not STORIES:
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    scores = {
        name: json.loads(told(name)["json"].read_text())["overall"]["f1"]
        for name in TYPES
        if name != "wnut17"
    }
    assert all(f1 > 0 for f1 in scores.values()), scores
