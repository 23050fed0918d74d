"""A model's predictions from all sides, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.ner.scores import PRF, score
from components.ner.sentence import Span
from components.report import alignment, bootstrap, matching
from components.report.alignment import Pair, align
from components.report.confusion import confusion
from components.report.error_groups import errors
from components.report.figures import Against, Evaluation, Outcomes, Score, TypeFigures
from components.report.predictions import Prediction
from components.report.reliability import reliability, thresholds
from components.report.slices import slices
from components.report.suspects import Labels, suspects

_Counts = Sequence[Mapping[str, PRF]]


@dataclass(frozen=True)
class Before:
    """The model that serves: what it is called, and what it finds in the same sentences."""

    model: str
    spans: Sequence[tuple[Span, ...]]


def evaluation(
    split: str,
    predictions: Sequence[Prediction],
    types: Iterable[str],
    labels: Labels,
    before: Before | None,
) -> Evaluation:
    """All figures on a model.

    Args:
      split: name of the evaluated split.
      predictions: on all of its sentences.
      types: those that train has or the model knows; types that only the predictions have come on top.
      labels: of train.
      before: the model to compare with, if there is one.
    """
    counts = [score(*one.pair) for one in predictions]
    counts_before = (
        [score(one.sentence.spans, found) for one, found in zip(predictions, before.spans)]
        if before
        else []
    )
    pairs = [align(*one.pair) for one in predictions]
    names = tuple(sorted({*types, *(type_ for one in (*counts, *counts_before) for type_ in one)}))
    overall, matches = matching.matches(one.pair for one in predictions)
    became = _outcomes(pair for one in pairs for pair in one)
    sums = {type_: _sum(counts, type_) for type_ in names}
    totals = [sum(one.values(), PRF()) for one in counts]
    return Evaluation(
        split=split,
        sentences=len(predictions),
        tokens=sum(len(one.sentence.tokens) for one in predictions),
        overall=Score.of(sum(totals, PRF())),
        interval=bootstrap.interval(totals),
        resamples=bootstrap.RESAMPLES,
        against=_against(before, totals, counts_before) if before else None,
        outcomes=_all(became.values()),
        matches=overall,
        types=tuple(
            TypeFigures(
                type=type_,
                score=Score.of(sums[type_]),
                interval=bootstrap.interval([one.get(type_, PRF()) for one in counts]),
                outcomes=became.get(type_, Outcomes()),
                matches=matches.get(type_, matching.none()),
                before=Score.of(_sum(counts_before, type_)) if before else None,
            )
            for type_ in names
        ),
        confusion=confusion((pair for one in pairs for pair in one), names),
        slices=slices(predictions, labels.known),
        reliability=reliability(predictions),
        thresholds=thresholds(predictions, {type_: prf.support for type_, prf in sums.items()}),
        errors=errors(predictions, pairs),
        suspects=suspects(predictions, labels),
    )


def _sum(counts: _Counts, type_: str) -> PRF:
    return sum((one[type_] for one in counts if type_ in one), PRF())


def _against(before: Before, totals: Sequence[PRF], counts_before: _Counts) -> Against:
    totals_before = [sum(one.values(), PRF()) for one in counts_before]
    interval, p = bootstrap.paired(totals, totals_before)
    overall_before = sum(totals_before, PRF())
    difference = sum(totals, PRF()).f1 - overall_before.f1
    return Against(before.model, Score.of(overall_before), difference, interval, p)


_FIELDS = {
    alignment.CORRECT: "correct",
    alignment.TYPE: "wrong_type",
    alignment.BORDERS: "wrong_borders",
    alignment.BOTH: "wrong_both",
    alignment.MISSED: "missed",
    alignment.INVENTED: "invented",
}


def _outcomes(pairs: Iterable[Pair]) -> dict[str, Outcomes]:
    """What became of the entities of each type that occurs."""
    counts: dict[str, Counter[str]] = {}
    for pair in pairs:
        counts.setdefault(pair.type, Counter())[_FIELDS[pair.kind]] += 1
    return {type_: Outcomes(**one) for type_, one in counts.items()}


def _all(outcomes: Iterable[Outcomes]) -> Outcomes:
    """All of them together."""
    every = list(outcomes)
    return Outcomes(**{name: sum(getattr(one, name) for one in every) for name in _FIELDS.values()})
