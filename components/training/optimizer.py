"""Adam (Kingma and Ba 2015) that leaves alone the rows of an embedding which a batch did not touch.

Keras's own moves every row of every table at each step, by the momentum of earlier ones: that costs time in proportion to the
vocabulary, and a word seen once goes on moving long after.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf


class SparseAdam(keras.optimizers.Adam):
    """See the module. `longest` is the norm of all gradients together to which longer ones are scaled down."""

    def __init__(self, learning_rate, longest: float):
        super().__init__(learning_rate)
        self._longest = longest

    def apply(self, grads: Sequence[tf.Tensor | tf.IndexedSlices], trainable_variables=None):
        # Of Keras's own clipping, tables would come back whole.
        summed = [_summed(gradient) for gradient in grads]
        values, _ = tf.clip_by_global_norm(
            [_values(gradient) for gradient in summed], self._longest
        )
        clipped = [
            tf.IndexedSlices(value, gradient.indices, gradient.dense_shape)
            if isinstance(gradient, tf.IndexedSlices)
            else value
            for gradient, value in zip(summed, values)
        ]
        return super().apply(clipped, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        momentum, velocity = (table[place].value for table in (self._momentums, self._velocities))
        step = tf.cast(self.iterations + 1, variable.dtype)
        decayed = self.beta_1**step, self.beta_2**step
        if not isinstance(gradient, tf.IndexedSlices):
            # One operation, where Keras has a dozen.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=momentum.handle,
                v=velocity.handle,
                beta1_power=decayed[0],
                beta2_power=decayed[1],
                lr=learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )
            return
        rows, values = gradient.indices, gradient.values
        rate = learning_rate * tf.sqrt(1 - decayed[1]) / (1 - decayed[0])
        new_momentum = self.beta_1 * tf.gather(momentum, rows) + (1 - self.beta_1) * values
        new_velocity = self.beta_2 * tf.gather(velocity, rows) + (1 - self.beta_2) * tf.square(
            values
        )
        momentum.scatter_update(tf.IndexedSlices(new_momentum, rows))
        velocity.scatter_update(tf.IndexedSlices(new_velocity, rows))
        change = rate * new_momentum / (tf.sqrt(new_velocity) + self.epsilon)
        variable.scatter_sub(tf.IndexedSlices(change, rows))


def _values(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _summed(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor | tf.IndexedSlices:
    """A gradient with each row once."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    return tf.IndexedSlices(
        tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows)),
        rows,
        gradient.dense_shape,
    )
