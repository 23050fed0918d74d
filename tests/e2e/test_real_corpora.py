"""Training on the first sentences of real corpora in their own formats, and the scores of the published models."""

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
# A softmax output, which takes less time to build than a CRF.
QUICK = (
    "--set",
    "training.epochs=6",
    "--set",
    "model.output=softmax",
    "--set",
    "training.learning_rate=0.03",
)


def scenario(name):
    def publish(context):
        corpus, work = context.folder / name, context.folder / "work"
        corpus.mkdir()
        for source in (CORPORA / name).iterdir():
            if source.suffix in (".conll", ".tsv", ".txt"):
                (corpus / source.name).write_bytes(first_lines(source.read_bytes(), LINES[name]))
        run = context.program.run(corpus, work, *QUICK)
        paths = {kind: context.folder / f"scores.{kind}" for kind in ("json", "conll")}
        evaluated = (
            context.program.command(
                "evaluate",
                "--model",
                work / "serving" / "ner",
                "--data",
                corpus,
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


def publish_and_evaluate_on_dev(publish, context):
    """btc, whose @names and #tags are split, with its dev scores from training and from `evaluate`."""
    results = publish(context)
    dev_file = context.folder / "dev.json"
    serving = context.folder / "work" / "serving" / "ner"
    evaluated = context.program.command(
        "evaluate",
        "--model",
        serving,
        "--data",
        context.folder / "btc" / "dev.conll",
        "--json",
        dev_file,
    )
    (card,) = serving.glob("*/assets.extra/ner.json")
    return {
        **results,
        "dev": evaluated,
        "dev_file": dev_file,
        "training_dev": json.loads(card.read_text(encoding="utf-8"))["dev"],
    }


def first_lines(content, lines):
    """At most the first `lines` of a corpus, up to the end of a sentence."""
    first = content.split(b"\n")[:lines]
    while first and first[-1].strip():
        first.pop()
    return b"\n".join(first) + b"\n"


SCENARIOS = {name: scenario(name) for name in TYPES} if CORPORA.is_dir() else {}
if SCENARIOS:
    SCENARIOS["btc"] = partial(publish_and_evaluate_on_dev, SCENARIOS["btc"])


@pytest.fixture(params=TYPES)
def corpus(request):
    if not CORPORA.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return request.param


def test_the_published_model_has_the_types_of_the_corpus(corpus, scenario_result):
    run = scenario_result(corpus)["run"]
    assert (run.code, run.err) == (0, ""), run
    assert len(run.versions) == 1
    assert set(json.loads(run.run_file("outcome.json"))["per_type"]) <= TYPES[corpus]
    assert all(
        f"B-{name}" in (run.runs[0].parents[1] / "schema" / "schema.pbtxt").read_text()
        for name in TYPES[corpus]
    )


def test_evaluate_has_the_scores_of_seqeval_and_of_the_run(
    corpus, scenario_result, seqeval_scores, round_scores
):
    results = scenario_result(corpus)
    assert results["evaluated"].code == 0
    if corpus == "wikigold":  # one file without splits
        assert "wikigold.conll.txt has no given splits" in results["evaluated"].err
    else:
        assert results["evaluated"].err == ""
    scores = round_scores(json.loads(results["json"].read_text()))
    assert scores == seqeval_scores(results["conll"])
    assert scores == round_scores(json.loads(results["run"].run_file("outcome.json")))


def test_the_dev_scores_of_training_are_those_of_evaluate(scenario_result):
    if not SCENARIOS:
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    results = scenario_result("btc")
    assert (results["dev"].code, results["dev"].err) == (0, "")
    overall = json.loads(results["dev_file"].read_text())["overall"]
    assert overall["support"] > 0
    parts = ("precision", "recall", "f1", "support")
    assert {part: results["training_dev"][part] for part in parts} == pytest.approx(
        {part: overall[part] for part in parts}
    )


def test_the_report_has_the_scores_of_seqeval_and_of_nervaluate(
    corpus, scenario_result, seqeval_scores
):
    results = scenario_result(corpus)
    run = results["run"].runs[-1]
    report = json.loads(
        (run.parents[1] / "reports" / run.name / "report.json").read_text(encoding="utf-8")
    )["evaluation"]
    parts = ("precision", "recall", "f1", "support")
    scores = {
        row["type"]: {part: round(row["score"][part], 4) for part in parts}
        for row in report["types"]
    }
    expected = seqeval_scores(results["conll"])
    assert {part: round(report["overall"][part], 4) for part in parts} == expected["overall"]
    assert {type_: scores[type_] for type_ in expected["per_type"]} == expected["per_type"]
    assert all(
        not row["score"]["support"]
        for row in report["types"]
        if row["type"] not in expected["per_type"]
    )

    count = nervaluate_counts.nervaluate()
    overall, per_type = count(list(pairs_in(results["conll"])), TYPES[corpus])
    assert report["matches"] == {match: pytest.approx(counts) for match, counts in overall.items()}
    matches = {row["type"]: row["matches"] for row in report["types"]}
    for type_, expected_matches in per_type.items():
        assert matches[type_] == {
            match: pytest.approx(counts) for match, counts in expected_matches.items()
        }


def pairs_in(conll):
    """The true and predicted entities of each sentence in a file written by `evaluate --predictions`."""
    gold, predicted = [], []
    for line in [*conll.read_text(encoding="utf-8").split("\n"), ""]:
        columns = line.split("\t")
        if len(columns) == 3 and columns[0] != "-DOCSTART-":
            gold.append(columns[1])
            predicted.append(columns[2])
        elif gold:
            yield spans_of(gold), spans_of(predicted)
            gold, predicted = [], []


def test_models_except_that_of_wnut17_have_an_f1_above_zero(scenario_result):
    """Equal scores of models that predict nothing would show little. The cut of wnut17 is too short to learn from."""
    if not SCENARIOS:
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    scores = {
        name: json.loads(scenario_result(name)["json"].read_text())["overall"]["f1"]
        for name in TYPES
        if name != "wnut17"
    }
    assert all(f1 > 0 for f1 in scores.values()), scores
