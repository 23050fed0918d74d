"""Whether scores are probabilities, where there are few."""

from dataclasses import replace

import numpy as np
import pytest

from components.evaluation.reliability import error_by_chance, expected_error
from components.report.figures import Reliability
from components.report.page import render
from components.report.page.highlights import highlights
from tests.unit.report import made_figures as made


@pytest.mark.parametrize("number", [30, 400, 5_000])
def test_exact_scores_are_as_far_off_as_chance_allows_in_95_of_100_samples(number):
    random = np.random.default_rng(number)
    scores = random.beta(2, 2, number)
    highest = error_by_chance(scores)
    within = [
        expected_error(scores, random.random(number) < scores) <= highest for _ in range(1_000)
    ]
    assert 0.925 <= np.mean(within) <= 0.975


def test_without_scores_and_with_certain_ones_chance_has_no_part():
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
def test_scores_are_blamed_for_no_more_than_chance_leaves(
    figures, error, chance_error, says, warns
):
    reliability = Reliability(figures.evaluation.reliability.bins, error, chance_error)
    figures = replace(figures, evaluation=replace(figures.evaluation, reliability=reliability))
    page = render(figures)
    assert says in page
    assert ("in 95 of 100 samples" in page) == (chance_error is not None)
    assert any(one.text.startswith("Scores are") for one in highlights(figures)) == warns
