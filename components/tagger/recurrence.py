"""An LSTM (Hochreiter and Schmidhuber 1997) over sentences of different lengths, in TensorFlow operations.

Tokens are packed: all first tokens, then all second ones and so on, sentences in falling order of length, so that no work is
spent on padding. What a token adds to the gates is computed beforehand, outside the loop, once for each different token of
a batch: that is more than half of the work. Keras's own layer can do neither.
"""

from typing import NamedTuple

import tensorflow as tf


class Packing(NamedTuple):
    """Where tokens go. Flat order is sentence after sentence; `tokens` is their number in the batch.

    `counts` int32 `[steps]`, sentences that are read at each step; `ahead` and `back` int32 `[tokens]`, for each place in packed
    order the place in flat order, read from the first token or from the last.
    """

    counts: tf.Tensor
    ahead: tf.Tensor
    back: tf.Tensor


def packing(lengths: tf.Tensor) -> Packing:
    """The packing of sentences of `lengths`, int32 `[sentences]`."""
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    starts, sorted_lengths = tf.gather(tf.cumsum(lengths, exclusive=True), order), tf.gather(lengths, order)
    mask = tf.sequence_mask(sorted_lengths, dtype=tf.bool)
    present = tf.cast(tf.where(tf.transpose(mask)), tf.int32)
    step, sentence = present[:, 0], present[:, 1]
    start = tf.gather(starts, sentence)
    return Packing(
        tf.reduce_sum(tf.cast(mask, tf.int32), 0), start + step, start + tf.gather(sorted_lengths, sentence) - 1 - step
    )


def unpacked(packed: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Rows in packed order `[tokens, width]`, back in flat order; `places` as `Packing` has them."""
    return tf.gather(packed, tf.scatter_nd(places[:, None], tf.range(tf.size(places)), tf.shape(places)))


class States(NamedTuple):
    """What a run leaves for its gradient, float32 `[tokens, ...]`: outputs, cells, gates (in, forget, out) and candidates."""

    outputs: tf.Tensor
    cells: tf.Tensor
    gates: tf.Tensor
    candidates: tf.Tensor


def read(projected: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
    """Outputs of the LSTM, float32 `[tokens, units]`.

    Args:
      projected: what each token adds to the gates (in, forget, out) and the candidate, bias included, `[tokens, 4 * units]`.
      counts: as `Packing` has them.
      recurrent: `[units, 4 * units]`.
    """
    return _run(projected, counts, recurrent, ("outputs",))[0]


def read_for_training(projected: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
    """As `read`, and differentiable: the gradient of `recurrent` is one product after the loop in place of one a step."""

    @tf.custom_gradient
    def outputs(projected, recurrent):
        states = States(*_run(projected, counts, recurrent, States._fields))

        def gradient(upstream):
            into_gates = _gradient_of_gates(tf.convert_to_tensor(upstream), states, counts, recurrent)
            return into_gates, tf.matmul(_of_step_before(states.outputs, counts), into_gates, transpose_a=True)

        return states.outputs, gradient

    return outputs(projected, tf.convert_to_tensor(recurrent))


def _run(projected: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor, keep: tuple[str, ...]) -> list[tf.Tensor]:
    units = recurrent.shape[0]
    widths = {"outputs": units, "cells": units, "gates": 3 * units, "candidates": units}
    ends = tf.cumsum(counts)

    def step(t, output, cell, kept):
        n, end = counts[t], ends[t]
        inner = projected[end - n : end] + output[:n] @ recurrent
        gates, candidate = tf.sigmoid(inner[:, : 3 * units]), tf.tanh(inner[:, 3 * units :])
        let_in, forget, let_out = tf.split(gates, 3, axis=1)
        cell = forget * cell[:n] + let_in * candidate
        output = let_out * tf.tanh(cell)
        values = {"outputs": output, "cells": cell, "gates": gates, "candidates": candidate}
        return t + 1, output, cell, tuple(array.write(t, values[name]) for name, array in zip(keep, kept))

    zeros = tf.zeros([tf.reduce_sum(counts[:1]), units])
    arrays = tuple(_array(counts, widths[name]) for name in keep)
    state = tf.TensorShape([None, units])
    *_, arrays = tf.while_loop(
        lambda t, *_: t < tf.size(counts),
        step,
        (0, zeros, zeros, arrays),
        shape_invariants=(tf.TensorShape([]), state, state, tuple(tf.TensorShape(None) for _ in keep)),
    )
    return [array.concat() for array in arrays]


def _gradient_of_gates(upstream: tf.Tensor, states: States, counts: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
    """The loss differentiated by `projected`, from the last step to the first."""
    units = recurrent.shape[0]
    let_in, forget, let_out = tf.split(states.gates, 3, axis=1)
    bent = tf.tanh(states.cells)
    # All that does not depend on the steps after, at once.
    output_to_cell, output_to_gate = let_out * (1 - bent * bent), bent * let_out * (1 - let_out)
    cell_to_gates = tf.concat(
        [
            states.candidates * let_in * (1 - let_in),
            _of_step_before(states.cells, counts) * forget * (1 - forget),
            let_in * (1 - states.candidates * states.candidates),
        ],
        axis=1,
    )
    transposed, ends = tf.transpose(recurrent), tf.cumsum(counts)

    def step(t, gates_after, cell_after, kept):
        n, end = counts[t], ends[t]
        rows = slice(end - n, end)
        # A sentence that ended has no step after this one: zeros.
        ended = [[0, n - tf.shape(gates_after)[0]], [0, 0]]
        output = upstream[rows] + tf.pad(gates_after @ transposed, ended)
        cell = tf.pad(cell_after, ended) + output * output_to_cell[rows]
        by_cell = tf.tile(cell, [1, 3]) * cell_to_gates[rows]
        gates = tf.concat([by_cell[:, : 2 * units], output * output_to_gate[rows], by_cell[:, 2 * units :]], axis=1)
        return t - 1, gates, cell * forget[rows], kept.write(t, gates)

    *_, gates = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (tf.size(counts) - 1, tf.zeros([0, 4 * units]), tf.zeros([0, units]), _array(counts, 4 * units)),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None, 4 * units]),
            tf.TensorShape([None, units]),
            tf.TensorShape(None),
        ),
    )
    return gates.concat()


def _of_step_before(packed: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """For each token the row of the one read before it, zeros at a first one."""
    places = tf.range(counts[0], tf.shape(packed)[0]) - tf.repeat(counts[:-1], counts[1:])
    return tf.concat([tf.zeros([counts[0], packed.shape[1]]), tf.gather(packed, places)], 0)


def _array(counts: tf.Tensor, width: int) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, tf.size(counts), infer_shape=False, element_shape=[None, width])
