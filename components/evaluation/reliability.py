"""Whether the scores of entities are probabilities."""

import numpy as np

_DRAWS = 2_000


def binned(
    scores: np.ndarray, right: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over bins of equal width, each `[bins]`: how many scores are in it, their sum, and how many of these are right."""
    place = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    return (
        np.bincount(place, minlength=bins),
        np.bincount(place, scores, bins),
        np.bincount(place, right, bins),
    )


def expected_error(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015): how far mean score and share of right answers lie apart,
    over bins of equal width, weighted by what is in them.
    """
    counts, sums, hits = binned(scores, right, bins)
    return float(np.abs(sums - hits).sum() / max(counts.sum(), 1))


def error_by_chance(scores: np.ndarray, bins: int = 10) -> float:
    """What the expected calibration error stays below in 95 of 100 samples if every score is exactly the probability of being right:
    few entities have an error even then. In each bin what is right varies as a normal value of the same variance does.
    """
    scores = np.asarray(scores, float)
    _, _, variances = binned(scores, scores * (1 - scores), bins)
    draws = np.random.default_rng(0).normal(size=(_DRAWS, bins)) * np.sqrt(variances)
    errors = np.abs(draws).sum(1) / max(scores.size, 1)
    return float(np.quantile(errors, 0.95))
