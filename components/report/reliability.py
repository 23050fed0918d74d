"""Calibration of the scores (Guo et al. 2017), and scores at each threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.evaluation.reliability import BINS, binned, error_by_chance, expected_error
from components.report.alignment import Prediction
from components.report.figures import Bin, Curve, Reliability, Thresholds

_THRESHOLD_STEPS = 100


class _Judged(NamedTuple):
    """A predicted entity."""

    type: str
    score: float
    correct: bool


def reliability(predictions: Sequence[Prediction]) -> Reliability:
    """Computes the calibration of the scores of all predicted entities."""
    scores, correct = _arrays(_judge(predictions))
    counts, score_sums, correct_counts = binned(scores, correct)
    bins = tuple(
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            count=int(count),
            confidence=float(score_sums[index] / count),
            accuracy=float(correct_counts[index] / count),
        )
        for index, count in enumerate(counts)
        if count
    )
    return Reliability(bins, expected_error(scores, correct), error_by_chance(scores))


def thresholds(predictions: Sequence[Prediction], support: Mapping[str, int]) -> Thresholds:
    """Counts the predictions that remain at thresholds from 0 to 1 in steps of 0.01.

    Args:
      predictions: one for each sentence.
      support: the number of true entities of each type.
    """
    grid = np.arange(_THRESHOLD_STEPS + 1) / _THRESHOLD_STEPS
    judged = _judge(predictions)
    overall = _curve(judged, sum(support.values()), grid)
    by_type: dict[str, list[_Judged]] = {type_name: [] for type_name in support}
    for entity in judged:
        by_type[entity.type].append(entity)
    per_type = {
        type_name: _curve(by_type[type_name], count, grid) for type_name, count in support.items()
    }
    f1 = [score.f1 for score in overall.scores]
    return Thresholds(tuple(grid.tolist()), overall, per_type, f1.index(max(f1)))


def _judge(predictions: Sequence[Prediction]) -> list[_Judged]:
    return [
        _Judged(span.type, score, correct)
        for prediction in predictions
        for span, score, correct in prediction.judged()
    ]


def _arrays(judged: Sequence[_Judged]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([entity.score for entity in judged], float)
    return scores, np.array([entity.correct for entity in judged], bool)


def _curve(judged: Sequence[_Judged], support: int, grid: np.ndarray) -> Curve:
    scores, correct = _arrays(judged)

    def remaining(values: np.ndarray) -> tuple[int, ...]:
        return tuple((len(values) - np.searchsorted(np.sort(values), grid, side="left")).tolist())

    return Curve(support, remaining(scores), remaining(scores[correct]))
