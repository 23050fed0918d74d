"""Values of several rows one after the other."""

import resource

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.features import text_ops
from components.flat import rows_of, splits_of


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(0, 5), max_size=8))
@example(counts=[])
@example(counts=[0])
@example(counts=[0, 2, 0, 0, 1, 0])
def test_each_value_has_the_row_it_is_of(kind, counts):
    expected = np.repeat(np.arange(len(counts)), counts)
    found = rows_of(tf.constant(np.array(counts, kind)))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == tf.int32
    np.testing.assert_array_equal(
        splits_of(tf.cast(found, tf.int64), tf.constant(len(counts), tf.int64)),
        np.cumsum([0, *counts]),
    )


def test_one_long_token_among_many_words_takes_memory_in_proportion():
    """With each word laid out as long as the longest, as tf.repeat does, it took 9.9 gigabytes."""
    strings = tf.constant(["a" * 50_000 + "".join(f" w{n}" for n in range(20_000))])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = text_ops.looks(strings, 20)
    assert int(found.counts[0]) == 20_001
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # kilobytes
