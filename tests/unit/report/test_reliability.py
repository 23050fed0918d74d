"""Calibration error and its level by chance."""

from dataclasses import replace

import numpy as np
import pytest

from components.evaluation.reliability import error_by_chance, expected_error
from components.report.figures import Reliability
from components.report.page import render
from components.report.page.sections import highlights
from tests.unit.report import sample_figures as made


@pytest.mark.parametrize("number", [30, 400, 5_000])
def test_the_error_of_calibrated_scores_is_below_the_chance_error_in_95_of_100_samples(number):
    random = np.random.default_rng(number)
    scores = random.beta(2, 2, number)
    highest = error_by_chance(scores)
    within = [
        expected_error(scores, random.random(number) < scores) <= highest for _ in range(1_000)
    ]
    assert 0.925 <= np.mean(within) <= 0.975


def test_the_chance_error_without_scores_or_with_certain_scores_is_zero():
    assert error_by_chance(np.array([])) == error_by_chance(np.array([0.0, 1.0, 1.0])) == 0


@pytest.fixture(scope="module")
def figures():
    return made.figures()


@pytest.mark.parametrize(
    ("error", "chance_error", "says", "warns"),
    [
        (0.04, 0.01, "The scores are good probabilities", False),
        (0.04, 0.10, "The scores are good probabilities", False),
        (0.12, 0.15, "There are too few predictions to tell", False),
        (0.12, 0.10, "The scores are not probabilities", True),
        (0.12, None, "The scores are not probabilities", True),
    ],
)
def test_only_errors_above_the_chance_error_exceed(figures, error, chance_error, says, warns):
    reliability = Reliability(figures.evaluation.reliability.bins, error, chance_error)
    figures = replace(figures, evaluation=replace(figures.evaluation, reliability=reliability))
    page = render(figures)
    assert says in page
    assert ("in 95 of 100 samples" in page) == (chance_error is not None)
    assert any(one.text.startswith("Scores are") for one in highlights(figures)) == warns
