"""The reliability of scores (Guo et al. 2017), and what a threshold on them gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.evaluation.reliability import binned, error_by_chance, expected_error
from components.report.figures import Bin, Curve, Reliability, Thresholds
from components.report.predictions import Prediction

_BINS = 10
_STEPS = 100


def reliability(predictions: Sequence[Prediction]) -> Reliability:
    """The reliability of all found entities' scores."""
    scores, right = _arrays(_judged(predictions))
    counts, sums, hits = binned(scores, right, _BINS)
    bins = tuple(
        Bin(
            place / _BINS,
            (place + 1) / _BINS,
            int(count),
            float(sums[place] / count),
            float(hits[place] / count),
        )
        for place, count in enumerate(counts)
        if count
    )
    return Reliability(bins, expected_error(scores, right, _BINS), error_by_chance(scores, _BINS))


def thresholds(predictions: Sequence[Prediction], support: Mapping[str, int]) -> Thresholds:
    """The curves for thresholds from 0 to 1 in steps of a hundredth; `support` has the true entities of every type."""
    at = np.arange(_STEPS + 1) / _STEPS
    judged = _judged(predictions)
    overall = _curve(judged, sum(support.values()), at)
    by_type: dict[str, list[tuple[str, float, bool]]] = {type_: [] for type_ in support}
    for one in judged:
        by_type[one[0]].append(one)
    per_type = {type_: _curve(by_type[type_], count, at) for type_, count in support.items()}
    f1 = [score.f1 for score in overall.scores]
    return Thresholds(tuple(at.tolist()), overall, per_type, f1.index(max(f1)))


_Judged = Sequence[tuple[str, float, bool]]


def _judged(predictions: Sequence[Prediction]) -> _Judged:
    """Type and score of each found entity, and whether it is right."""
    return [(span.type, score, right) for one in predictions for span, score, right in one.judged()]


def _arrays(judged: _Judged) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for _, score, _ in judged], float), np.array(
        [right for _, _, right in judged], bool
    )


def _curve(judged: _Judged, support: int, at: np.ndarray) -> Curve:
    scores, right = _arrays(judged)

    def kept(values: np.ndarray) -> tuple[int, ...]:
        return tuple((len(values) - np.searchsorted(np.sort(values), at, side="left")).tolist())

    return Curve(support, kept(scores), kept(scores[right]))
