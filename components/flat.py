"""Values of several rows one after the other, as TensorFlow operations.

`tf.repeat` lays out every row as long as the longest: one long token among many words took gigabytes. `tf.boolean_mask` is fourteen
operations, where `tf.gather_nd` of `tf.where` is two, and operations are most of what a short sentence costs.
"""

import tensorflow as tf


def rows_of(counts: tf.Tensor) -> tf.Tensor:
    """The row of each value, int32 `[values]`, where rows have `counts` values, int32 or int64 `[rows]`."""
    ends, places = tf.cumsum(counts), tf.range(tf.reduce_sum(counts))
    return tf.squeeze(tf.raw_ops.UpperBound(sorted_inputs=ends[None], values=places[None]), 0)


def splits_of(rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Where each of `count` rows begins, then where the last one ends, int64 `[count + 1]`; `rows` int64 `[values]`, rising, has the
    row of each value."""
    wanted = tf.range(count + 1)
    return tf.squeeze(
        tf.raw_ops.LowerBound(sorted_inputs=rows[None], values=wanted[None], out_type=tf.int64), 0
    )
