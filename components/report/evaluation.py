"""The evaluation of a model: all figures that follow from its predictions on a split.

`evaluate` computes scores by type, of subsets and at each threshold, their calibration, and
bootstrap intervals; `alignment` and `errors` do the rest.

The intervals resample sentences (Efron 1979; paired: Koehn 2004). F1 depends on a sentence only
through its counts, and many sentences have equal counts. So each resample draws, with one
multinomial draw, how often each distinct row of counts occurs, which is equivalent to drawing the
sentences one by one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluation.reliability import BINS, binned, error_by_chance, expected_error
from components.ner.scores import PRF, score, score_all
from components.ner.sentence import (
    LENGTH_CLASSES,
    SEEN,
    SEEN_AS_OTHER,
    UNSEEN,
    KnownEntities,
    Sentence,
    Span,
    length_class,
    novelty,
    surface,
)
from components.report.alignment import (
    NO_MATCHES,
    Pair,
    Prediction,
    align,
    confusion,
    semeval_matches,
)
from components.report.errors import TrainLabels, group_errors, suspects
from components.report.figures import (
    BOUNDARY,
    BOUNDARY_AND_TYPE,
    CORRECT,
    MISSED,
    SPURIOUS,
    WRONG_TYPE,
    BaselineComparison,
    Bin,
    Curve,
    Evaluation,
    Interval,
    Outcomes,
    Reliability,
    Score,
    Slice,
    Slices,
    Thresholds,
    TypeFigures,
)

RESAMPLES = 1_000
LEVEL = 0.95
_SEED = 13
_THRESHOLD_STEPS = 100

_OUTCOME_FIELDS = {
    CORRECT: "correct",
    WRONG_TYPE: "wrong_type",
    BOUNDARY: "wrong_boundary",
    BOUNDARY_AND_TYPE: "wrong_boundary_and_type",
    MISSED: "missed",
    SPURIOUS: "spurious",
}
_NOVELTY_NAMES = {SEEN: "seen in train", SEEN_AS_OTHER: "seen with another type", UNSEEN: "unseen"}
_CASES = _UPPER, _LOWER, _TITLE, _MIXED, _CASELESS = (
    "ALL UPPER",
    "all lower",
    "Title Case",
    "mixed case",
    "no upper or lower case",
)
_LONGEST = 4  # entities with this many tokens or more form one subset


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
    baseline_spans = list(zip((gold for gold, _ in spans), baseline.spans if baseline else ()))
    counts = [score(*pair) for pair in spans]
    by_type, baseline_by_type = score_all(spans), score_all(baseline_spans)
    type_names = tuple(sorted({*types, *by_type, *baseline_by_type}))
    sentence_totals = [sum(row.values(), PRF()) for row in counts]
    pairs = [align(gold, predicted) for gold, predicted in spans]
    pairs_by_type: dict[str, list[Pair]] = defaultdict(list)
    all_pairs = [pair for sentence_pairs in pairs for pair in sentence_pairs]
    for pair in all_pairs:
        pairs_by_type[pair.type].append(pair)
    matches, matches_by_type = semeval_matches(spans)
    judged = _judged(predictions)
    return Evaluation(
        split=split,
        sentences=len(predictions),
        tokens=sum(len(prediction.sentence.tokens) for prediction in predictions),
        overall=Score.of(sum(by_type.values(), PRF())),
        interval=f1_interval(sentence_totals),
        resamples=RESAMPLES,
        comparison=_compare(baseline.model, sentence_totals, baseline_spans) if baseline else None,
        outcomes=_outcomes(all_pairs),
        matches=matches,
        types=tuple(
            TypeFigures(
                type=name,
                score=Score.of(by_type.get(name, PRF())),
                interval=f1_interval([row.get(name, PRF()) for row in counts]),
                outcomes=_outcomes(pairs_by_type[name]),
                matches=matches_by_type.get(name, NO_MATCHES),
                baseline_score=(Score.of(baseline_by_type.get(name, PRF())) if baseline else None),
            )
            for name in type_names
        ),
        confusion=confusion(all_pairs, type_names),
        slices=_slices(predictions, train_labels.known),
        reliability=_reliability(judged),
        thresholds=_thresholds(
            judged, {name: by_type.get(name, PRF()).support for name in type_names}
        ),
        errors=group_errors(predictions, pairs),
        suspects=suspects(predictions, train_labels),
    )


def _outcomes(pairs: Iterable[Pair]) -> Outcomes:
    return Outcomes(**Counter(_OUTCOME_FIELDS[pair.kind] for pair in pairs))


def _compare(
    model: str,
    sentence_totals: Sequence[PRF],
    baseline_spans: Sequence[tuple[Sequence[Span], Sequence[Span]]],
) -> BaselineComparison:
    baseline_totals = [sum(score(*pair).values(), PRF()) for pair in baseline_spans]
    interval, p_value = paired_difference(sentence_totals, baseline_totals)
    baseline = sum(baseline_totals, PRF())
    difference = sum(sentence_totals, PRF()).f1 - baseline.f1
    return BaselineComparison(model, Score.of(baseline), difference, interval, p_value)


# Bootstrap intervals of F1


def f1_interval(counts: Sequence[PRF]) -> Interval:
    """The percentile interval of F1, from the counts of each sentence."""
    return _interval(_f1(_resample(_count_rows(counts))))


def paired_difference(
    counts: Sequence[PRF], baseline_counts: Sequence[PRF]
) -> tuple[Interval, float]:
    """Compares two models on the same sentences.

    Args:
      counts: the new model's counts of each sentence.
      baseline_counts: the baseline's counts of each sentence.

    Returns:
      The interval of the difference in F1 (new minus baseline), and its two-sided p-value: twice
      the share of resamples whose difference has the opposite sign or is zero.
    """
    resamples = _resample(
        np.concatenate([_count_rows(counts), _count_rows(baseline_counts)], axis=1)
    )
    differences = _f1(resamples[:, :3]) - _f1(resamples[:, 3:])
    opposite = min(np.mean(differences <= 0), np.mean(differences >= 0))
    return _interval(differences), float(min(1.0, 2 * opposite))


def _count_rows(counts: Sequence[PRF]) -> np.ndarray:
    """True positives, false positives and false negatives: int64 `[sentences, 3]`.

    Without sentences there is one row of zeros, whose F1 is 0.
    """
    return np.array([(row.tp, row.fp, row.fn) for row in counts] or [(0, 0, 0)])


def _resample(rows: np.ndarray) -> np.ndarray:
    """The sums over the sentences of each resample: int64 `[RESAMPLES, columns]`."""
    distinct, frequencies = np.unique(rows, axis=0, return_counts=True)
    generator = np.random.default_rng(_SEED)
    return generator.multinomial(len(rows), frequencies / len(rows), RESAMPLES) @ distinct


def _f1(counts: np.ndarray) -> np.ndarray:
    tp, fp, fn = counts.T
    return 2 * tp / np.maximum(2 * tp + fp + fn, 1)


def _interval(values: np.ndarray) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), LEVEL)


# Scores of subsets


def _slices(predictions: Sequence[Prediction], known: KnownEntities) -> Slices:
    """Computes the scores of all subsets.

    A predicted entity belongs to a subset by its own words and type, so every subset has a
    precision too.
    """
    return Slices(
        novelty=_by_entity(
            predictions,
            lambda sentence, span: _NOVELTY_NAMES[novelty(known, sentence.tokens, span)],
            tuple(_NOVELTY_NAMES.values()),
        ),
        case=_by_entity(
            predictions, lambda sentence, span: case_of(surface(sentence.tokens, span)), _CASES
        ),
        entity_length=_by_entity(
            predictions,
            lambda _, span: _length_name(min(span.end - span.start, _LONGEST)),
            tuple(_length_name(tokens) for tokens in range(1, _LONGEST + 1)),
        ),
        sentence_length=_by_sentence(predictions),
    )


def case_of(words: str) -> str:
    """Classifies the upper and lower case of an entity.

    >>> case_of("NATO"), case_of("New York"), case_of("iPhone"), case_of("42")
    ('ALL UPPER', 'Title Case', 'mixed case', 'no upper or lower case')
    """
    if words.isupper():
        return _TITLE if len(words) == 1 else _UPPER
    if words.islower():
        return _LOWER
    if words.istitle():
        return _TITLE
    return _MIXED if words.upper() != words.lower() else _CASELESS


def _length_name(tokens: int) -> str:
    plural = "s" if tokens > 1 else ""
    return f"{tokens} token{plural}" + (" or more" if tokens == _LONGEST else "")


def _by_entity(
    predictions: Sequence[Prediction],
    subset_of: Callable[[Sentence, Span], str],
    order: Sequence[str],
) -> tuple[Slice, ...]:
    counts: dict[str, PRF] = defaultdict(PRF)
    for prediction in predictions:
        gold, predicted = map(set, prediction.gold_and_predicted)
        for spans, increment in (
            (gold & predicted, PRF(tp=1)),
            (predicted - gold, PRF(fp=1)),
            (gold - predicted, PRF(fn=1)),
        ):
            for span in spans:
                counts[subset_of(prediction.sentence, span)] += increment
    return tuple(Slice(name, Score.of(counts[name])) for name in order if name in counts)


def _by_sentence(predictions: Sequence[Prediction]) -> tuple[Slice, ...]:
    groups: dict[str, list[tuple[Sequence[Span], Sequence[Span]]]] = defaultdict(list)
    for prediction in predictions:
        name = length_class(len(prediction.sentence.tokens))
        groups[name].append(prediction.gold_and_predicted)
    return tuple(
        Slice(name, Score.of(sum(score_all(groups[name]).values(), PRF())), len(groups[name]))
        for name in LENGTH_CLASSES
        if name in groups
    )


# Calibration (Guo et al. 2017) and thresholds


def _judged(predictions: Sequence[Prediction]) -> np.ndarray:
    """The type and score of each predicted entity, and whether it is correct: `[entities]`."""
    return np.array(
        [
            (span.type, score, correct)
            for prediction in predictions
            for span, score, correct in prediction.judged()
        ],
        [("type", object), ("score", float), ("correct", bool)],
    )


def _reliability(judged: np.ndarray) -> Reliability:
    """Computes the calibration of the scores of all predicted entities."""
    scores, correct = judged["score"], judged["correct"]
    bins = tuple(
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            count=int(count),
            confidence=float(score_sum / count),
            accuracy=float(correct_count / count),
        )
        for index, (count, score_sum, correct_count) in enumerate(zip(*binned(scores, correct)))
        if count
    )
    return Reliability(bins, expected_error(scores, correct), error_by_chance(scores))


def _thresholds(judged: np.ndarray, support: Mapping[str, int]) -> Thresholds:
    """Counts the predictions that remain at thresholds from 0 to 1 in steps of 0.01."""
    grid = np.arange(_THRESHOLD_STEPS + 1) / _THRESHOLD_STEPS

    def curve(judged: np.ndarray, support: int) -> Curve:
        predicted, correct = (
            tuple((len(scores) - np.searchsorted(np.sort(scores), grid)).tolist())
            for scores in (judged["score"], judged["score"][judged["correct"]])
        )
        return Curve(support, predicted, correct)

    overall = curve(judged, sum(support.values()))
    per_type = {name: curve(judged[judged["type"] == name], support[name]) for name in support}
    f1 = [score.f1 for score in overall.scores]
    return Thresholds(tuple(grid.tolist()), overall, per_type, f1.index(max(f1)))
