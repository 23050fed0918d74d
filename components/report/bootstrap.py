"""Bootstrap confidence intervals of F1 over sentences (Efron 1979; paired: Koehn 2004).

F1 depends on a sentence only through its counts, and many sentences have equal counts. So each
resample draws, with one multinomial draw, how often each distinct row of counts occurs, which is
equivalent to drawing the sentences one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.ner.scores import PRF
from components.report.figures import Interval

RESAMPLES = 1_000
LEVEL = 0.95
_SEED = 13
_CHUNK = 50  # resamples drawn together; bounds the memory


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
    if not len(differences):
        return _interval(differences), 1.0
    opposite = min(np.mean(differences <= 0), np.mean(differences >= 0))
    return _interval(differences), float(min(1.0, 2 * opposite))


def _count_rows(counts: Sequence[PRF]) -> np.ndarray:
    """True positives, false positives and false negatives: int64 `[sentences, 3]`."""
    return np.array([(row.tp, row.fp, row.fn) for row in counts], np.int64).reshape(-1, 3)


def _resample(rows: np.ndarray) -> np.ndarray:
    """The sums over the sentences of each resample: int64 `[RESAMPLES, columns]`."""
    if not len(rows):
        return np.zeros((0, rows.shape[1]), np.int64)
    distinct, frequencies = np.unique(rows, axis=0, return_counts=True)
    generator = np.random.default_rng(_SEED)
    return np.concatenate(
        [
            generator.multinomial(len(rows), frequencies / len(rows), _CHUNK) @ distinct
            for _ in range(RESAMPLES // _CHUNK)
        ]
    )


def _f1(counts: np.ndarray) -> np.ndarray:
    tp, fp, fn = counts.T
    return 2 * tp / np.maximum(2 * tp + fp + fn, 1)


def _interval(values: np.ndarray) -> Interval:
    if not len(values):
        return Interval(0.0, 0.0, LEVEL)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), LEVEL)
