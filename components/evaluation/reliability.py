"""Calibration: how close the scores of entities are to the share of correct ones."""

import numpy as np

BINS = 10  # of equal width, from 0 to 1
_DRAWS = 2_000


def binned(scores: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorts scores into bins.

    Args:
      scores: from 0 to 1, `[entities]`.
      correct: whether each entity is correct, `[entities]`.

    Returns:
      The number of scores in each bin, their sum, and the number of correct ones, each `[BINS]`.
    """
    index = np.minimum((np.asarray(scores) * BINS).astype(int), BINS - 1)
    return (
        np.bincount(index, minlength=BINS),
        np.bincount(index, scores, BINS),
        np.bincount(index, correct, BINS),
    )


def expected_error(scores: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015).

    It is the distance between the mean score and the share of correct entities in a bin, averaged
    over the bins with their numbers of entities as weights. The arguments are those of `binned`.
    """
    counts, sums, hits = binned(scores, correct)
    return float(np.abs(sums - hits).sum() / max(counts.sum(), 1))


def error_by_chance(scores: np.ndarray) -> float:
    """The 95th percentile of the expected calibration error of perfectly calibrated scores.

    Few entities have an error even if each score is exactly the probability of being correct. The
    number of correct entities in a bin is drawn from a normal distribution of the same variance.
    """
    scores = np.asarray(scores, float)
    _, _, variances = binned(scores, scores * (1 - scores))
    draws = np.random.default_rng(0).normal(size=(_DRAWS, BINS)) * np.sqrt(variances)
    errors = np.abs(draws).sum(1) / max(scores.size, 1)
    return float(np.quantile(errors, 0.95))
