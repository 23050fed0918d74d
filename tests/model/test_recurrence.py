"""The packed LSTM against Keras's own, sentence by sentence."""

import keras
import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tagger import recurrence

UNITS, WIDTH = 3, 4
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def weights(random):
    sizes = {"kernel": (WIDTH, 4 * UNITS), "recurrent": (UNITS, 4 * UNITS), "bias": (4 * UNITS,)}
    return {name: tf.constant(random.normal(size=size).astype("f")) for name, size in sizes.items()}


def keras_outputs(inputs, lengths, values, backwards):
    """Keras orders the gates in, forget, candidate, out."""

    def reordered(value):
        let_in, forget, let_out, candidate = tf.split(value, 4, axis=-1)
        return tf.concat([let_in, forget, candidate, let_out], -1)

    layer = keras.layers.LSTM(UNITS, return_sequences=True, go_backwards=backwards)
    layer.build((None, None, WIDTH))
    outputs = []
    for row in tf.split(inputs, list(lengths)):
        states = layer.cell.get_initial_state(1)
        found = []
        for vector in (tf.reverse(row, [0]) if backwards else row)[:, None]:
            layer.cell.kernel.assign(reordered(values["kernel"]))
            layer.cell.recurrent_kernel.assign(reordered(values["recurrent"]))
            layer.cell.bias.assign(reordered(values["bias"]))
            output, states = layer.cell(vector, states)
            found.append(output)
        outputs.append(tf.concat(found[::-1] if backwards else found, 0))
    return tf.concat(outputs, 0)


def packed_outputs(inputs, lengths, values, backwards, read):
    packing = recurrence.packing(tf.constant(lengths, tf.int32))
    places = packing.back if backwards else packing.ahead
    projected = tf.gather(inputs @ values["kernel"] + values["bias"], places)
    return recurrence.unpacked(read(projected, packing.counts, values["recurrent"]), places)


@settings(max_examples=15, deadline=None)
@given(LENGTHS, st.booleans(), st.integers(0, 1000))
def test_outputs_are_those_of_keras(lengths, backwards, seed):
    random = np.random.default_rng(seed)
    values, inputs = weights(random), tf.constant(random.normal(size=(sum(lengths), WIDTH)).astype("f"))
    expected = keras_outputs(inputs, lengths, values, backwards)
    for read in (recurrence.read, recurrence.read_for_training):
        np.testing.assert_allclose(packed_outputs(inputs, lengths, values, backwards, read), expected, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(LENGTHS, st.integers(0, 1000))
def test_gradients_are_those_of_differentiating_through_the_loop(lengths, seed):
    random = np.random.default_rng(seed)
    values, inputs = weights(random), tf.constant(random.normal(size=(sum(lengths), WIDTH)).astype("f"))
    weight = random.normal(size=(sum(lengths), UNITS)).astype("f")
    gradients = []
    for read in (recurrence.read, recurrence.read_for_training):
        with tf.GradientTape() as tape:
            tape.watch([values, inputs])
            loss = tf.reduce_sum(packed_outputs(inputs, lengths, values, True, read) * weight)
        gradients.append(tape.gradient(loss, [*values.values(), inputs]))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(one), tf.convert_to_tensor(other), atol=1e-4)
