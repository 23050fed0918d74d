"""Calibration: how close the scores of entities are to the share of correct ones."""

import numpy as np

_DRAWS = 2_000


def binned(
    scores: np.ndarray, right: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorts scores into bins of equal width.

    Args:
      scores: from 0 to 1, `[entities]`.
      right: whether each entity is correct, `[entities]`.
      bins: the number of bins.

    Returns:
      The number of scores in each bin, their sum, and how many are correct, each `[bins]`.
    """
    index = np.minimum((np.asarray(scores) * bins).astype(int), bins - 1)
    return (
        np.bincount(index, minlength=bins),
        np.bincount(index, scores, bins),
        np.bincount(index, right, bins),
    )


def expected_error(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015).

    It is the distance of the mean score from the share of correct entities, averaged over bins of equal
    width, which count as much as they hold entities. The arguments are those of `binned`.
    """
    counts, sums, hits = binned(scores, right, bins)
    return float(np.abs(sums - hits).sum() / max(counts.sum(), 1))


def error_by_chance(scores: np.ndarray, bins: int = 10) -> float:
    """The 95th percentile of the expected calibration error of perfectly calibrated scores.

    Few entities have an error even if each score is exactly the probability of being correct. The number
    of correct entities in a bin is drawn from a normal distribution of the same variance.

    Args:
      scores: from 0 to 1, `[entities]`.
      bins: the number of bins.
    """
    scores = np.asarray(scores, float)
    _, _, variances = binned(scores, scores * (1 - scores), bins)
    draws = np.random.default_rng(0).normal(size=(_DRAWS, bins)) * np.sqrt(variances)
    errors = np.abs(draws).sum(1) / max(scores.size, 1)
    return float(np.quantile(errors, 0.95))
