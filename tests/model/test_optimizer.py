"""The optimizer against Keras's own."""

import keras
import numpy as np
import tensorflow as tf

from components.training.learner import SparseAdam


def updated(optimizer, gradients, start):
    variable = keras.Variable(start)
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    return variable.numpy()


def slices(rows, values, size):
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(rows), tf.constant([size, 2])
    )


def test_rows_in_every_step_are_updated_as_by_keras():
    start = np.ones((2, 2), "f")
    gradients = [slices([0, 1, 0], np.array([[1, 2], [3, 4], [5, 6]]) * n, 2) for n in (1, -2, 3)]
    expected = updated(
        keras.optimizers.Adam(0.1, global_clipnorm=1.0), map(tf.convert_to_tensor, gradients), start
    )
    np.testing.assert_allclose(
        updated(SparseAdam(0.1, gradient_norm=1.0), gradients, start), expected, rtol=1e-5
    )


def test_dense_variables_are_updated_as_by_keras():
    gradients = [tf.constant([[1.0, -2.0], [3.0, 4.0]]) * n for n in (1, -2, 3)]
    start = np.ones((2, 2), "f")
    expected = updated(keras.optimizers.Adam(0.1, global_clipnorm=1.0), gradients, start)
    np.testing.assert_allclose(
        updated(SparseAdam(0.1, gradient_norm=1.0), gradients, start), expected, rtol=1e-5
    )


def test_rows_in_no_step_do_not_change():
    start = np.ones((3, 2), "f")
    found = updated(
        SparseAdam(0.1, gradient_norm=1.0),
        [slices([0], [[1, 1]], 3), slices([1], [[1, 1]], 3)],
        start,
    )
    once = updated(SparseAdam(0.1, gradient_norm=1.0), [slices([0], [[1, 1]], 3)], start)
    np.testing.assert_array_equal(found[0], once[0])  # no momentum carries it on
    assert (found[1] < 1).all() and (found[2] == 1).all()
