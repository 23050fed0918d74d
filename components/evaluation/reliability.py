"""Whether the scores of entities are probabilities."""

import numpy as np


def binned(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over bins of equal width, each `[bins]`: how many scores are in it, their sum, and how many of these are right."""
    place = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    return np.bincount(place, minlength=bins), np.bincount(place, scores, bins), np.bincount(place, right, bins)


def expected_error(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015): how far mean score and share of right answers lie apart,
    over bins of equal width, weighted by what is in them.
    """
    counts, sums, hits = binned(scores, right, bins)
    return float(np.abs(sums - hits).sum() / max(counts.sum(), 1))
