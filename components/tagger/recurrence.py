"""An LSTM (Hochreiter and Schmidhuber 1997) that reads packed sentences from both sides, in TensorFlow operations.

What a token adds to the gates is computed beforehand, outside the loop, once for each different token of a batch: that is more
than half of the work. Keras's own layer can do neither that nor packing.
"""

from typing import NamedTuple

import tensorflow as tf

from components.tagger.packing import Packing, inverse, walk


class States(NamedTuple):
    """What a run in one direction leaves for its gradient, float32 `[tokens, ...]`, packed: outputs, cells, gates (in, forget, out)
    and candidates."""

    outputs: tf.Tensor
    cells: tf.Tensor
    gates: tf.Tensor
    candidates: tf.Tensor


def read(table: tf.Tensor, tokens: tf.Tensor, packing: Packing, recurrent: tf.Tensor) -> tf.Tensor:
    """Outputs of the LSTM, float32 `[tokens, 2 * units]`: those of reading ahead, then those of reading back.

    Both directions share a loop: with one each, a short sentence took longer (4.1 ms for 3.7 at the median, two cores).

    Args:
      table: what each different token adds to the gates (in, forget, out) and the candidate, bias included, float32 `[2 * vocables,
        4 * units]`; rows `2 * vocable + direction`.
      tokens: the vocable of each token in flat order, int32 `[tokens]`.
      recurrent: `[2, units, 4 * units]`, for each direction.
    """
    return _flat(_run(table, _entries(tokens, packing), packing.counts, recurrent, ("outputs",))[0], packing)


def read_for_training(table: tf.Tensor, tokens: tf.Tensor, packing: Packing, recurrent: tf.Tensor) -> tf.Tensor:
    """As `read`, and differentiable. Each direction has a loop of its own, so that two cores can run one each: an epoch took a fifth
    less time. The gradient of `recurrent` is one product after the loop in place of one a step."""
    tables = tf.unstack(tf.reshape(table, [-1, 2, table.shape[1]]), axis=1)
    recurrent = tf.unstack(tf.convert_to_tensor(recurrent))
    return tf.concat([_read_one_way(tables[way], tokens, packing, recurrent[way], way) for way in (0, 1)], 1)


def _read_one_way(
    table: tf.Tensor, tokens: tf.Tensor, packing: Packing, recurrent: tf.Tensor, direction: int
) -> tf.Tensor:
    """Outputs in one direction, `[tokens, units]`; its own `table` `[vocables, 4 * units]` and `recurrent` `[units, 4 * units]`."""
    order = tf.boolean_mask(packing.readings, packing.readings % 2 == direction) // 2  # the token at each packed place
    entries, places, counts = tf.gather(tokens, order), inverse(order), packing.counts

    @tf.custom_gradient
    def outputs(table, recurrent):
        states = States(*_run(table, entries, counts, recurrent[None], States._fields))

        def gradient(upstream):
            gates = _gradient_of_gates(tf.gather(upstream, order), states, counts, recurrent[None])
            return (
                tf.math.unsorted_segment_sum(gates, entries, tf.shape(table)[0]),
                tf.matmul(_of_step_before(states.outputs, counts), gates, transpose_a=True),
            )

        return tf.gather(states.outputs, places), gradient

    return outputs(table, recurrent)


def _entries(tokens: tf.Tensor, packing: Packing) -> tf.Tensor:
    """The row of the table at each packed place."""
    return 2 * tf.gather(tokens, packing.readings // 2) + packing.readings % 2


def _flat(packed: tf.Tensor, packing: Packing) -> tf.Tensor:
    return tf.reshape(tf.gather(packed, packing.places), [-1, 2 * packed.shape[1]])


def _run(
    table: tf.Tensor, entries: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor, keep: tuple[str, ...]
) -> list[tf.Tensor]:
    units = recurrent.shape[1]
    widths = {"outputs": units, "cells": units, "gates": 3 * units, "candidates": units}

    def step(state, come):
        output, cell = state
        inner = tf.gather(table, come[0]) + output @ recurrent
        gates, candidate = tf.split(inner, [3 * units, units], axis=2)
        gates, candidate = tf.sigmoid(gates), tf.tanh(candidate)
        let_in, forget, let_out = tf.split(gates, 3, axis=2)
        cell = forget * cell + let_in * candidate
        output = let_out * tf.tanh(cell)
        values = {"outputs": output, "cells": cell, "gates": gates, "candidates": candidate}
        return (output, cell), tuple(tf.reshape(values[name], [-1, widths[name]]) for name in keep)

    zeros = tf.zeros([recurrent.shape[0], tf.reduce_max(counts), units])
    return walk(counts, step, (zeros, zeros), (entries,), [tf.TensorSpec([None, widths[name]]) for name in keep])


def _gradient_of_gates(upstream: tf.Tensor, states: States, counts: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
    """The loss differentiated by what goes into gates and candidate, packed, from the last step to the first."""
    units = recurrent.shape[1]
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

    def step(state, come):
        gates_after, cell_after = state
        upstream, output_to_cell, cell_to_gates, output_to_gate, forget = come
        output = upstream + tf.matmul(gates_after, recurrent, transpose_b=True)
        cell = cell_after + output * output_to_cell
        by_cell = tf.tile(cell, [1, 1, 3]) * cell_to_gates
        gates = tf.concat([by_cell[:, :, : 2 * units], output * output_to_gate, by_cell[:, :, 2 * units :]], axis=2)
        return (gates, cell * forget), (tf.reshape(gates, [-1, 4 * units]),)

    # A sentence that ended has no step after its last one: zeros.
    state = tf.zeros([1, 0, 4 * units]), tf.zeros([1, 0, units])
    read = (upstream, output_to_cell, cell_to_gates, output_to_gate, forget)
    return walk(counts, step, state, read, [tf.TensorSpec([None, 4 * units])], back=True)[0]


def _of_step_before(packed: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """For each reading in one direction the row of the one read before it, zeros at a first one."""
    far = tf.repeat(counts[:-1], counts[1:])
    later = tf.range(counts[0], tf.shape(packed)[0]) - far
    return tf.concat([tf.zeros([counts[0], packed.shape[1]]), tf.gather(packed, later)], 0)
