"""The evaluation of a model: all figures that follow from its predictions on a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.ner.scores import PRF, score
from components.ner.sentence import Span
from components.report import bootstrap
from components.report.alignment import Pair, Prediction, align, confusion
from components.report.error_groups import group_errors
from components.report.figures import (
    BOUNDARY,
    BOUNDARY_AND_TYPE,
    CORRECT,
    MISSED,
    SPURIOUS,
    WRONG_TYPE,
    BaselineComparison,
    Evaluation,
    Outcomes,
    Score,
    TypeFigures,
)
from components.report.matching import NO_MATCHES, semeval_matches
from components.report.reliability import reliability, thresholds
from components.report.slices import slices
from components.report.suspects import TrainLabels, suspects

_TypeCounts = Sequence[Mapping[str, PRF]]

_OUTCOME_FIELDS = {
    CORRECT: "correct",
    WRONG_TYPE: "wrong_type",
    BOUNDARY: "wrong_boundary",
    BOUNDARY_AND_TYPE: "wrong_boundary_and_type",
    MISSED: "missed",
    SPURIOUS: "spurious",
}


@dataclass(frozen=True)
class BaselinePredictions:
    """The predictions of the model in service on the same sentences."""

    model: str  # its name in the report
    spans: Sequence[tuple[Span, ...]]  # predicted entities of each sentence


def evaluate(
    split: str,
    predictions: Sequence[Prediction],
    types: Iterable[str],
    train_labels: TrainLabels,
    baseline: BaselinePredictions | None,
) -> Evaluation:
    """Computes all figures of a model.

    Args:
      split: name of the evaluated split.
      predictions: one for each sentence of the split.
      types: the types of train and of the model; types that only occur in predictions are added.
      train_labels: the labels of train.
      baseline: the predictions of the model in service, if there is one.
    """
    spans = [prediction.gold_and_predicted for prediction in predictions]
    counts = [score(gold, predicted) for gold, predicted in spans]
    baseline_spans = baseline.spans if baseline else ()
    baseline_counts = [score(gold, guess) for (gold, _), guess in zip(spans, baseline_spans)]
    type_names = tuple(sorted(set(types).union(*counts, *baseline_counts)))
    type_totals = {name: _total_of_type(counts, name) for name in type_names}
    sentence_totals = [sum(row.values(), PRF()) for row in counts]
    pairs = [align(gold, predicted) for gold, predicted in spans]
    all_pairs = [pair for sentence_pairs in pairs for pair in sentence_pairs]
    outcomes = _outcomes_by_type(all_pairs)
    matches, matches_by_type = semeval_matches(spans)
    return Evaluation(
        split=split,
        sentences=len(predictions),
        tokens=sum(len(prediction.sentence.tokens) for prediction in predictions),
        overall=Score.of(sum(sentence_totals, PRF())),
        interval=bootstrap.f1_interval(sentence_totals),
        resamples=bootstrap.RESAMPLES,
        comparison=_compare(baseline.model, sentence_totals, baseline_counts) if baseline else None,
        outcomes=_outcomes(all_pairs),
        matches=matches,
        types=tuple(
            TypeFigures(
                type=name,
                score=Score.of(type_totals[name]),
                interval=bootstrap.f1_interval([row.get(name, PRF()) for row in counts]),
                outcomes=outcomes.get(name, Outcomes()),
                matches=matches_by_type.get(name, NO_MATCHES),
                baseline_score=(
                    Score.of(_total_of_type(baseline_counts, name)) if baseline else None
                ),
            )
            for name in type_names
        ),
        confusion=confusion(all_pairs, type_names),
        slices=slices(predictions, train_labels.known),
        reliability=reliability(predictions),
        thresholds=thresholds(
            predictions, {name: total.support for name, total in type_totals.items()}
        ),
        errors=group_errors(predictions, pairs),
        suspects=suspects(predictions, train_labels),
    )


def _total_of_type(counts: _TypeCounts, type_name: str) -> PRF:
    return sum((row[type_name] for row in counts if type_name in row), PRF())


def _compare(
    model: str, sentence_totals: Sequence[PRF], baseline_counts: _TypeCounts
) -> BaselineComparison:
    baseline_totals = [sum(row.values(), PRF()) for row in baseline_counts]
    interval, p_value = bootstrap.paired_difference(sentence_totals, baseline_totals)
    baseline = sum(baseline_totals, PRF())
    difference = sum(sentence_totals, PRF()).f1 - baseline.f1
    return BaselineComparison(model, Score.of(baseline), difference, interval, p_value)


def _outcomes_by_type(pairs: Iterable[Pair]) -> dict[str, Outcomes]:
    by_type: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_type.setdefault(pair.type, []).append(pair)
    return {type_name: _outcomes(type_pairs) for type_name, type_pairs in by_type.items()}


def _outcomes(pairs: Iterable[Pair]) -> Outcomes:
    return Outcomes(**Counter(_OUTCOME_FIELDS[pair.kind] for pair in pairs))
