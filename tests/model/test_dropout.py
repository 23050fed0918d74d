"""Dropout, which does as Keras's does with fewer random bits."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tagger.dropout import Dropout

MANY = tf.ones([300, 401])


def kept(rate, seed=1, inputs=MANY):
    return Dropout(rate, seed=seed)(inputs, training=True).numpy()


@given(st.lists(st.integers(0, 7), min_size=1, max_size=3), st.floats(0, 1, exclude_max=True))
@settings(max_examples=50, deadline=None)
def test_a_unit_is_dropped_or_scaled_up(shape, rate):
    inputs = tf.random.stateless_uniform(shape, (1, 2), minval=1)
    found = kept(rate, inputs=inputs)
    nearest = min(round(rate * 256), 255) / 256
    assert found.shape == tuple(shape)
    np.testing.assert_allclose(found, np.where(found == 0, 0, inputs / (1 - nearest)), rtol=1e-6)


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.5, 0.9])
def test_as_many_are_dropped_as_the_rate_says(rate):
    found = kept(rate)
    deviation = np.sqrt(rate * (1 - rate) / found.size)
    assert abs((found == 0).mean() - rate) < 1 / 512 + 5 * deviation
    assert abs(found.mean() - 1) < 5 * deviation / (1 - rate)


@pytest.mark.parametrize("away", [1, 2, 3, 4, 401])
def test_no_unit_tells_of_another(away):
    """Not of those drawn with it, nor of the same one of another token."""
    found = kept(0.5).reshape(-1)
    assert abs(np.corrcoef(found[:-away], found[away:])[0, 1]) < 5 / np.sqrt(found.size)


def test_each_call_drops_others_and_a_seed_drops_the_same():
    layer, again, other = Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dropout(0.5, seed=2)
    first, second = (layer(MANY, training=True).numpy() for _ in range(2))
    assert (first != second).mean() == pytest.approx(0.5, abs=0.01)
    assert (first != other(MANY, training=True).numpy()).mean() == pytest.approx(0.5, abs=0.01)
    assert (first == again(MANY, training=True).numpy()).all()


def test_the_gradient_goes_where_the_unit_was_kept():
    with tf.GradientTape() as tape:
        tape.watch(MANY)
        found = Dropout(0.25, seed=1)(MANY, training=True)
    np.testing.assert_array_equal(tape.gradient(found, MANY), found)


@pytest.mark.parametrize("layer", [Dropout(0.5), Dropout(0.0)])
def test_nothing_is_dropped_outside_of_training_or_at_rate_zero(layer):
    assert layer(MANY, training=layer.rate == 0) is MANY
