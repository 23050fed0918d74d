"""Flat values of several rows, one row after the other."""

import resource

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.features import text_ops
from components.features.text_ops import ragged_rows, row_ids


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(0, 5), max_size=8))
@example(counts=[])
@example(counts=[0])
@example(counts=[0, 2, 0, 0, 1, 0])
def test_row_ids_are_the_row_of_each_value(kind, counts):
    expected = np.repeat(np.arange(len(counts)), counts)
    found = row_ids(tf.constant(np.array(counts, kind)))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == tf.int32


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(0, 5), max_size=8))
@example(counts=[])
@example(counts=[0, 2, 0, 0, 1, 0])
def test_a_sparse_tensor_of_rows_becomes_ragged(counts):
    rows = tf.RaggedTensor.from_row_lengths(tf.range(sum(counts)), tf.constant(counts, tf.int64))
    np.testing.assert_array_equal(ragged_rows(rows.to_sparse()).row_splits, rows.row_splits)
    np.testing.assert_array_equal(ragged_rows(rows.to_sparse()).values, rows.values)


def test_memory_is_proportional_to_the_tokens_with_one_very_long_token():
    """`tf.repeat`, which pads every row to the longest one, would need gigabytes."""
    strings = tf.constant(["a" * 50_000 + "".join(f" w{n}" for n in range(20_000))])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = text_ops.token_features(strings, 20)
    assert int(found.counts[0]) == 20_001
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # kilobytes
