"""How far chance moves F1: the bootstrap over sentences (Efron 1979), paired for two models (Koehn 2004).

F1 needs no more of a sentence than its counts, and many sentences have the same: so many of each kind of counts are drawn, by
one multinomial draw a resample, which is the same as drawing the sentences one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.ner.scores import PRF
from components.report.figures import Interval

RESAMPLES = 1_000
LEVEL = 0.95
_SEED = 13
_AT_ONCE = 50  # resamples drawn together: memory grows with them and with the kinds of counts


def interval(counts: Sequence[PRF]) -> Interval:
    """Between which values F1 lies, from the counts of each sentence (percentile bootstrap)."""
    return _interval(_f1(_resampled(_rows(counts))))


def paired(counts: Sequence[PRF], before: Sequence[PRF]) -> tuple[Interval, float]:
    """The interval of the difference in F1 of two models on the same sentences, the new less the old, and its p: twice the
    share of resamples in which the difference has not the sign that it mostly has.
    """
    drawn = _resampled(np.concatenate([_rows(counts), _rows(before)], axis=1))
    differences = _f1(drawn[:, :3]) - _f1(drawn[:, 3:])
    against = min(np.mean(differences <= 0), np.mean(differences >= 0)) if len(differences) else 0.5
    return _interval(differences), float(min(1.0, 2 * against))


def _rows(counts: Sequence[PRF]) -> np.ndarray:
    """int64 `[sentences, 3]`."""
    return np.array([(one.tp, one.fp, one.fn) for one in counts], np.int64).reshape(-1, 3)


def _resampled(rows: np.ndarray) -> np.ndarray:
    """Sums over the sentences of each resample, int64 `[RESAMPLES, columns]`."""
    if not len(rows):
        return np.zeros((0, rows.shape[1]), np.int64)
    kinds, often = np.unique(rows, axis=0, return_counts=True)
    random = np.random.default_rng(_SEED)
    return np.concatenate(
        [
            random.multinomial(len(rows), often / len(rows), _AT_ONCE) @ kinds
            for _ in range(RESAMPLES // _AT_ONCE)
        ]
    )


def _f1(counts: np.ndarray) -> np.ndarray:
    right, wrong, missed = counts.T
    return 2 * right / np.maximum(2 * right + wrong + missed, 1)


def _interval(values: np.ndarray) -> Interval:
    if not len(values):
        return Interval(0.0, 0.0, LEVEL)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), LEVEL)
