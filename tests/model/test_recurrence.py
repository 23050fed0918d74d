"""The packed LSTM compared with Keras's LSTM, sentence by sentence."""

import keras
import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tagger import recurrence
from components.tagger.batch import pack

UNITS, WIDTH = 3, 4
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def weights(random):
    return recurrence.Weights(
        *(
            tf.constant(random.normal(size=size).astype("f"))
            for size in ((WIDTH + UNITS, 4 * UNITS), (4 * UNITS,))
        )
    )


def keras_outputs(inputs, lengths, values, backwards):
    layer = keras.layers.LSTM(UNITS, return_sequences=True, go_backwards=backwards)
    layer.build((None, None, WIDTH))
    outputs = []
    for row in tf.split(inputs, list(lengths)):
        states = layer.cell.get_initial_state(1)
        found = []
        for vector in (tf.reverse(row, [0]) if backwards else row)[:, None]:
            layer.cell.kernel.assign(values.kernel[:WIDTH])
            layer.cell.recurrent_kernel.assign(values.kernel[WIDTH:])
            layer.cell.bias.assign(values.bias)
            output, states = layer.cell(vector, states)
            found.append(output)
        outputs.append(tf.concat(found[::-1] if backwards else found, 0))
    return tf.concat(outputs, 0)


def both_directions(inputs, lengths, ahead, back, lstm):
    tokens = tf.range(sum(lengths))
    return lstm(inputs, tokens, pack(tf.constant(lengths, tf.int32)), (ahead, back))


# Compiled once for most shapes; eagerly, each call would trace its loops.
LSTMS = [
    tf.function(lstm, autograph=False, reduce_retracing=True)
    for lstm in (
        recurrence.lstm_padded,
        recurrence.lstm,
        recurrence.lstm_packed,
    )
]


@settings(max_examples=15, deadline=None)
@given(LENGTHS, st.integers(0, 1000))
def test_outputs_equal_those_of_keras(lengths, seed):
    random = np.random.default_rng(seed)
    ahead, back = weights(random), weights(random)
    inputs = tf.constant(random.normal(size=(sum(lengths), WIDTH)).astype("f"))
    expected = tf.concat(
        [keras_outputs(inputs, lengths, ahead, False), keras_outputs(inputs, lengths, back, True)],
        1,
    )
    for lstm in LSTMS:
        np.testing.assert_allclose(
            both_directions(inputs, lengths, ahead, back, lstm), expected, atol=1e-5
        )


def plain_outputs(inputs, lengths, values, backwards):
    """The LSTM's equations, sentence by sentence and token by token, to differentiate through."""
    outputs = []
    for row in tf.split(inputs, list(lengths)):
        output, cell = tf.zeros([UNITS]), tf.zeros([UNITS])
        found = []
        for vector in tf.unstack(tf.reverse(row, [0]) if backwards else row):
            gates = (
                tf.linalg.matvec(values.kernel, tf.concat([vector, output], 0), transpose_a=True)
                + values.bias
            )
            let_in, forget, candidate, let_out = tf.split(gates, 4)
            cell = tf.sigmoid(forget) * cell + tf.sigmoid(let_in) * tf.tanh(candidate)
            output = tf.sigmoid(let_out) * tf.tanh(cell)
            found.append(output)
        outputs += found[::-1] if backwards else found
    return tf.stack(outputs)


@settings(max_examples=10, deadline=None)
@given(LENGTHS, st.integers(0, 1000))
def test_gradients_equal_automatic_differentiation_of_the_equations(lengths, seed):
    random = np.random.default_rng(seed)
    ahead, back = weights(random), weights(random)
    inputs = tf.constant(random.normal(size=(sum(lengths), WIDTH)).astype("f"))
    weight = random.normal(size=(sum(lengths), 2 * UNITS)).astype("f")
    sources = [*ahead, *back, inputs]

    def plain():
        return tf.concat(
            [
                plain_outputs(inputs, lengths, ahead, False),
                plain_outputs(inputs, lengths, back, True),
            ],
            1,
        )

    gradients = []
    for read in (plain, lambda: both_directions(inputs, lengths, ahead, back, LSTMS[-1])):
        with tf.GradientTape() as tape:
            tape.watch(sources)
            loss = tf.reduce_sum(read() * weight)
        gradients.append(tape.gradient(loss, sources))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(one), tf.convert_to_tensor(other), atol=1e-4
        )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any))
def test_packing_has_each_token_once_in_each_direction_and_in_order(lengths):
    packing = pack(tf.constant(lengths, tf.int32))
    step_of_position = np.repeat(np.arange(len(packing.active)), packing.active)
    start = 0
    for direction in (packing.forward, packing.backward):
        assert sorted(direction.numpy()) == list(range(sum(lengths)))
    for sentence, length in enumerate(lengths):
        tokens = slice(start, start + length)
        assert (packing.sentence_ids.numpy()[tokens] == sentence).all()
        steps = step_of_position[packing.forward.numpy()[tokens]].tolist()
        assert steps == list(range(length))
        assert step_of_position[packing.backward.numpy()[tokens]].tolist() == steps[::-1]
        start += length
