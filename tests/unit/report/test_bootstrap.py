"""Bootstrap intervals of F1, and the paired comparison of two models."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ner.scores import PRF
from components.report import evaluation
from components.report.figures import Interval

SOME = settings(max_examples=50, deadline=None)
COUNTS = st.lists(
    st.builds(PRF, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=30
)


def sentences(number, right, seed=1):
    """Counts of sentences with one entity each, predicted with probability `right`."""
    chance = random.Random(seed)
    return [PRF(1, 0, 0) if chance.random() < right else PRF(0, 1, 1) for _ in range(number)]


@SOME
@given(COUNTS)
def test_an_interval_lies_between_0_and_1(counts):
    interval = evaluation.f1_interval(counts)
    assert 0 <= interval.low <= interval.high <= 1


@SOME
@given(st.builds(PRF, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), st.integers(1, 50))
def test_equal_sentences_have_an_interval_without_width(one, number):
    interval = evaluation.f1_interval([one] * number)
    assert interval.low == pytest.approx(one.f1) and interval.high == pytest.approx(one.f1)


@SOME
@given(st.integers(0, 2**31), st.floats(0.2, 0.8))
def test_the_interval_of_many_sentences_contains_f1(seed, right):
    counts = sentences(200, right, seed)
    interval = evaluation.f1_interval(counts)
    assert interval.low < sum(counts, PRF()).f1 < interval.high


@SOME
@given(COUNTS)
def test_an_interval_is_reproducible_and_independent_of_the_order(counts):
    assert (
        evaluation.f1_interval(counts)
        == evaluation.f1_interval(counts)
        == evaluation.f1_interval(counts[::-1])
    )


def test_the_interval_equals_that_of_drawing_sentences_one_by_one():
    counts = sentences(300, 0.7)
    random_ = np.random.default_rng(5)
    drawn = [
        sum((counts[index] for index in random_.integers(0, 300, 300)), PRF()).f1
        for _ in range(2000)
    ]
    interval = evaluation.f1_interval(counts)
    assert (interval.low, interval.high) == pytest.approx(
        tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.01
    )


def test_more_sentences_give_a_narrower_interval():
    few, many = (evaluation.f1_interval(sentences(number, 0.7)) for number in (100, 10_000))
    assert many.high - many.low < (few.high - few.low) / 5


def test_a_model_does_not_differ_from_itself():
    counts = sentences(200, 0.7)
    interval, p = evaluation.paired_difference(counts, counts)
    assert (interval.low, interval.high, p) == (0.0, 0.0, 1.0)


def test_a_much_better_model_is_significantly_better():
    interval, p = evaluation.paired_difference(sentences(500, 0.8, 1), sentences(500, 0.6, 2))
    assert interval.low > 0 and p < 0.01


def test_equally_good_models_do_not_differ_significantly():
    interval, p = evaluation.paired_difference(sentences(500, 0.7, 1), sentences(500, 0.7, 2))
    assert interval.low < 0 < interval.high and p > 0.05


def test_without_sentences_the_interval_is_zero():
    assert evaluation.f1_interval([]) == Interval(0.0, 0.0)
    assert evaluation.paired_difference([], [])[1] == 1.0
