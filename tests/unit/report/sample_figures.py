"""Synthetic reports of a model with a chosen error rate."""

import random
from dataclasses import replace

from components.ner.sentence import Sentence, Span
from components.report.alignment import Prediction
from components.report.data import split_figures
from components.report.errors import TrainLabels
from components.report.evaluation import BaselinePredictions, evaluate
from components.report.figures import (
    Anomaly,
    Considerations,
    Data,
    DataSet,
    Drift,
    EarlierRun,
    Epoch,
    FeatureStatistics,
    Figures,
    Metric,
    ModelCard,
    ModelDetails,
    Node,
    Provenance,
    SpanFigures,
    Training,
    Verdict,
)

THREE = ("PER", "LOC", "ORG")
EIGHTEEN = tuple(
    "CARDINAL DATE EVENT FAC GPE LANGUAGE LAW LOC MONEY NORP ORDINAL ORG PERCENT PERSON PRODUCT QUANTITY TIME WORK_OF_ART".split()
)
WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one"
).split()
NAMES = "Basel Ada Byron Zoë Lindqvist Northlight Köln Meridian Blue Cedar Harbour Delta Rotterdam Ana Sao Mai Austin".split()


def corpus(types, sentences, seed, words=WORDS, names=NAMES, name="test"):
    """Sentences of synthetic words with entities."""
    chance = random.Random(seed)
    made = []
    for number in range(sentences):
        tokens, spans = [], []
        while len(tokens) < 5 or chance.random() < 0.8:
            if types and chance.random() < 0.25:
                length = chance.choice((1, 1, 2, 3))
                spans.append(Span(len(tokens), len(tokens) + length, chance.choice(types)))
                tokens += chance.choices(names, k=length)
            tokens += chance.choices(words, k=chance.randint(1, 4))
        made.append(Sentence(tuple(tokens), tuple(spans), id=f"{name}.conll:{number * 20 + 1}"))
    return made


def found(sentence, types, wrong, chance):
    """The entities and scores predicted in a sentence by a model with a share of errors."""
    spans, scores = [], []
    for span in sentence.spans:
        if chance.random() >= wrong:
            spans.append(span)
        else:
            how = chance.choice(("missed", "type", "boundary", "spurious"))
            if how == "type":
                spans.append(replace(span, type=chance.choice(types)))
            elif how == "boundary" and span.end < len(sentence.tokens):
                spans.append(replace(span, end=span.end + 1))
            elif how == "spurious" and span.end + 1 < len(sentence.tokens):
                spans.append(Span(span.end, span.end + 1, chance.choice(types)))
        if len(spans) > len(scores):
            scores.append(
                min(
                    0.999,
                    chance.betavariate(6, 1) if spans[-1] == span else chance.betavariate(2, 1.5),
                )
            )
    kept = [
        index for index, span in enumerate(spans) if not index or spans[index - 1].end <= span.start
    ]
    return tuple(spans[index] for index in kept), tuple(scores[index] for index in kept)


def figures(
    types=THREE, sentences=150, wrong=0.3, seed=1, words=WORDS, names=NAMES, before=True, text=str
):
    """A whole report.

    Args:
      types: entity types.
      sentences: of the evaluated split.
      wrong: the share of entities that the model predicts wrongly; from 1 on it predicts no entity.
      words, names: the words of the sentences.
      before: whether there are a serving model and earlier runs.
      text: a function applied to every name, reason, path and value.
    """
    chance = random.Random(seed)
    test = corpus(types, sentences, seed, words, names)
    train = corpus(types, 2 * sentences, seed + 1, words, names, "train")

    def found_by(share):
        return [found(one, types, share, chance) if share < 1 else ((), ()) for one in test]

    made = found_by(wrong)
    predictions = [Prediction(one, *both) for one, both in zip(test, made)]
    earlier = (
        BaselinePredictions("1795351923", [spans for spans, _ in found_by(min(wrong + 0.05, 1))])
        if before
        else None
    )
    measured = evaluate("test", predictions, types, TrainLabels(train), earlier)
    sizes, overlaps = split_figures({"train": train, "test": test})
    overall = measured.overall
    history = tuple(
        EarlierRun(
            text(f"2026112{day}-020000-000000"),
            f"2026-11-2{day}T02:00:00",
            overall.f1 - 0.03 + day / 200,
            day % 3 > 0,
        )
        for day in range(5)
    )
    return Figures(
        verdict=Verdict(
            run=text("20261126-020000-000000"),
            began="2026-11-26T02:00:00",
            corpus=text("made"),
            model=text("ner"),
            published=text("serving/ner/1795351999") if overall.f1 >= 0.5 else None,
            reasons=() if overall.f1 >= 0.5 else (text(f"F1 is {overall.f1:.4f}; at least 0.5 is asked for"),),
            minimum_f1=0.5,
            tolerance=0.01,
            history=history if before else (),
        ),
        evaluation=measured,
        data=Data(
            splits=sizes,
            overlaps=overlaps,
            anomalies=(Anomaly("train", text("tokens"), text("Examples have no values")),) if before else (),
            drift=(Drift(text("tags"), "L-infinity", 0.02, 0.05),) if before else (),
            statistics=(
                FeatureStatistics("train", text("tokens"), 300, 0, 4_000, 47, 13.5, {text("the"): 310, text("of"): 290}),
            ),
            spans=tuple(SpanFigures(number, 1, 50, dict.fromkeys(types[:3], 7)) for number in (4, 5)) if before else (),
        ),
        training=Training(
            tuple(
                Epoch(n, 0.6 / n, 0.8 - 0.3 / n, 0.75 - 0.3 / n, 0.77 - 0.3 / n, 0.002 * 0.9**n, 6.5, 60_000)
                for n in range(1, 13)
            ),
            best_epoch=11,
            outside_bias=1.0,
            temperature=1.67,
            odds=1.25,
            calibration_error=0.01,
        ),
        provenance=Provenance(
            configuration={"name": text("ner"), "gate": {"minimum_f1": 0.5}, "vectors": None, text("key"): text("value")},
            versions={"tfx": "1.16.0", text("package"): text("1")},
            hashes={"data": "0123456789abcdef" * 4, "code": "fedcba9876543210" * 4},
            nodes=(
                Node("CorpusExampleGen", 9.9, True, text("same as before")),
                Node("Trainer", 201.7, False, text("changed: training.epochs")),
                Node("Evaluator", 23.9, False, text("first run")),
            ),
        ),
        card=ModelCard(
            details=ModelDetails(
                name=text("ner"),
                version="1795351999",
                date="2026-11-26T02:10:00",
                overview=text("Finds names in text."),
                architecture=text("BiLSTM with a CRF."),
                types=types,
                tokenisation=text("Runs of letters and digits."),
                licence=text("CC BY 4.0"),
            ),
            training_data=DataSet(text("made"), "train", 300, 4_000, 900, "0123456789abcdef"),
            evaluation_data=DataSet(text("made"), "test", measured.sentences, measured.tokens, overall.support, "0123"),
            metrics=(Metric("F1", "all", overall.f1, measured.interval, overall.support),),
            considerations=Considerations(text("Newspapers."), "", (text("Trained on little text."),)),
        ),
    )  # fmt: skip
