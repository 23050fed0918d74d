"""The private parts of Keras that `components.compat.keras_private` uses still work as it expects."""

import keras
import numpy as np
import tensorflow as tf

from components.compat import keras_private


def test_adam_slots_are_the_moments_of_the_variable():
    variables = [keras.Variable(np.ones(2, "f")), keras.Variable(np.ones(3, "f"))]
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(variables)
    gradients = [tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0, 5.0])]
    optimizer.apply(gradients, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        # Keras passes the TensorFlow variable to `update_step`.
        first, second = keras_private.adam_slots(optimizer, variable.value)
        np.testing.assert_allclose(first, 0.1 * gradient, rtol=1e-5)
        np.testing.assert_allclose(second, 0.001 * gradient**2, rtol=1e-5)
