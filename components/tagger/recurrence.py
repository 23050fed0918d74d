"""An LSTM (Hochreiter and Schmidhuber 1997) that reads sentences from both sides, in TensorFlow operations.

Many sentences are read packed, in a loop of our own: what a token adds to the gates is computed beforehand, once for each
different token of a batch, which is more than half of the work. Keras's own layer can do neither that nor packing. A few are read
by TensorFlow's BlockLSTM, whose loop is inside one operation: where a step has little to compute, operations are what it costs.

The weights of a direction are in BlockLSTM's order: rows for what a token looks like, then for the output of the step before;
columns for the gates in and forget, the candidate, and the gate out.
"""

from typing import NamedTuple

import tensorflow as tf

from components import flow
from components.flat import rows_of
from components.tagger.packing import Packing, inverse, order, walk

_FEW = 16  # sentences: up to 64 were no slower so, but of different lengths these take memory for their padding


class Weights(NamedTuple):
    """Of one direction: `kernel` float32 `[width + units, 4 * units]`, `bias` `[4 * units]`."""

    kernel: tf.Tensor
    bias: tf.Tensor

    @property
    def units(self) -> int:
        return self.bias.shape[0] // 4

    def halves(self) -> list[tf.Tensor]:
        """The kernel's rows for what a token looks like, and those for the output of the step before."""
        return tf.split(self.kernel, [self.kernel.shape[0] - self.units, self.units])

    def eased(self) -> "Weights":
        """Those under which a gate is (1 + t) / 2, t the tanh of what goes into it, and the candidate is t itself.

        A sigmoid is (1 + tanh(x / 2)) / 2: one operation bends all four, and tanh takes half as long as a sigmoid.
        """
        scale = tf.repeat(tf.constant([0.5, 0.5, 1.0, 0.5]), self.units)
        return Weights(self.kernel * scale, self.bias * scale)


class States(NamedTuple):
    """What a run in one direction leaves for its gradient, float32 `[tokens, ...]`, packed: outputs, cells, and the t of
    `Weights.eased`, in the order of the weights."""

    outputs: tf.Tensor
    cells: tf.Tensor
    bent: tf.Tensor


def read(
    vectors: tf.Tensor, tokens: tf.Tensor, packing: Packing, weights: tuple[Weights, Weights]
) -> tf.Tensor:
    """Outputs of the LSTM, float32 `[tokens, 2 * units]`: those of reading ahead, then those of reading back.

    Args:
      vectors: what each different token looks like, float32 `[vocables, width]`.
      tokens: the vocable of each token in flat order, int32 `[tokens]`.
      weights: for reading ahead, and for reading back.
    """
    few = tf.size(packing.lengths) <= _FEW
    return flow.either(few, read_few, read_many, (vectors, tokens, packing, tuple(weights)))


def read_few(
    vectors: tf.Tensor, tokens: tf.Tensor, packing: Packing, weights: tuple[Weights, Weights]
) -> tf.Tensor:
    """As `read`, padded, by BlockLSTM."""
    lengths = packing.lengths
    starts = tf.cumsum(lengths, exclusive=True)
    longest, sentences = tf.reduce_max(lengths), tf.size(lengths)
    steps = tf.range(longest)[:, None]
    # Behind its end a sentence reads anything: what comes of it is not looked at.
    ahead = tf.minimum(starts + steps, tf.size(tokens) - 1)
    back = tf.maximum(starts + lengths - 1 - steps, 0)
    owners = packing.owners
    place = tf.range(tf.size(tokens)) - tf.gather(starts, owners)
    place_back = tf.gather(lengths, owners) - 1 - place

    def outputs(order, places, weights):
        zeros = tf.zeros([sentences, weights.units])
        peepholes = tf.zeros([weights.units])
        found = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.cast(longest, tf.int64),
            x=tf.gather(vectors, tf.gather(tokens, order)),
            cs_prev=zeros,
            h_prev=zeros,
            w=weights.kernel,
            wci=peepholes,
            wcf=peepholes,
            wco=peepholes,
            b=weights.bias,
        )
        return tf.gather(tf.reshape(found.h, [-1, weights.units]), places * sentences + owners)

    return tf.concat([outputs(ahead, place, weights[0]), outputs(back, place_back, weights[1])], 1)


def read_many(
    vectors: tf.Tensor, tokens: tf.Tensor, packing: Packing, weights: tuple[Weights, Weights]
) -> tf.Tensor:
    """As `read`, packed, both directions in one loop."""
    eased = [one.eased() for one in weights]
    inner, recurrent = zip(*(one.halves() for one in eased))
    # A vocable has two rows, one beside the other, as a token has two readings.
    table = vectors @ tf.concat(inner, 1) + tf.concat([one.bias for one in eased], 0)
    table = tf.reshape(table, [-1, 4 * weights[0].units])
    entries = 2 * tf.gather(tokens, packing.readings // 2) + packing.readings % 2
    outputs = _run(table, entries, packing.counts, tf.stack(recurrent), ("outputs",))[0]
    return tf.reshape(tf.gather(outputs, packing.places), [-1, 2 * weights[0].units])


def read_for_training(
    vectors: tf.Tensor, tokens: tf.Tensor, packing: Packing, weights: tuple[Weights, Weights]
) -> tf.Tensor:
    """As `read`, and differentiable. Each direction has a loop of its own, so that two cores can run one each: an epoch took a fifth
    less time. The gradient of the recurrent weights is one product after the loop in place of one a step."""
    outputs = []
    for way, one in enumerate(map(Weights.eased, weights)):
        inner, recurrent = one.halves()
        outputs.append(_read_one_way(vectors @ inner + one.bias, tokens, packing, recurrent, way))
    return tf.concat(outputs, 1)


def _read_one_way(
    table: tf.Tensor, tokens: tf.Tensor, packing: Packing, recurrent: tf.Tensor, direction: int
) -> tf.Tensor:
    """Outputs in one direction, `[tokens, units]`; its own `table` `[vocables, 4 * units]` and `recurrent` `[units, 4 * units]`,
    both eased."""
    come = order(packing, direction)
    entries, places, counts = tf.gather(tokens, come), inverse(come), packing.counts

    @tf.custom_gradient
    def outputs(table, recurrent):
        states = States(*_run(table, entries, counts, recurrent, States._fields))

        def gradient(upstream):
            gates = _gradient_of_gates(
                tf.gather(upstream, come), states, counts, tf.transpose(recurrent)
            )
            return (
                tf.math.unsorted_segment_sum(gates, entries, tf.shape(table)[0]),
                tf.matmul(_of_step_before(states.outputs, counts), gates, transpose_a=True),
            )

        return tf.gather(states.outputs, places), gradient

    return outputs(table, recurrent)


def _run(
    table: tf.Tensor,
    entries: tf.Tensor,
    counts: tf.Tensor,
    recurrent: tf.Tensor,
    keep: tuple[str, ...],
) -> list[tf.Tensor]:
    """What `keep` says of `States`; `recurrent` `[units, 4 * units]` of one direction, or those of both, `[2, units, 4 * units]`."""
    units = recurrent.shape[-2]
    widths = {"outputs": units, "cells": units, "bent": 4 * units}

    def step(state, come, held):
        output, cell = state
        table, recurrent = held
        bent = tf.tanh(tf.gather(table, come[0]) + output @ recurrent)
        let_in, forget, candidate, let_out = tf.split(bent, 4, axis=-1)
        cell = 0.5 * ((1 + forget) * cell + (1 + let_in) * candidate)
        output = 0.5 * ((1 + let_out) * tf.tanh(cell))
        values = {"outputs": output, "cells": cell, "bent": bent}
        return (output, cell), tuple(values[name] for name in keep)

    zeros = tf.zeros([*recurrent.shape[:-2], tf.reduce_max(counts), units])
    kept = [tf.TensorSpec([None, widths[name]]) for name in keep]
    return walk(counts, step, (zeros, zeros), (entries,), kept, (table, recurrent))


def _gradient_of_gates(
    upstream: tf.Tensor, states: States, counts: tf.Tensor, backward: tf.Tensor
) -> tf.Tensor:
    """The loss differentiated by what goes into gates and candidate, packed, from the last step to the first. `backward` are the
    recurrent weights the other way round, `[4 * units, units]`: turned at each step, a product took over half as long again."""
    units = backward.shape[1]
    let_in, forget, candidates, let_out = tf.split(states.bent, 4, axis=1)
    slopes = tf.split(1 - states.bent * states.bent, 4, axis=1)
    let_in, forget, let_out = (0.5 * (1 + t) for t in (let_in, forget, let_out))
    high = tf.tanh(states.cells)
    # All that does not depend on the steps after, at once.
    output_to_cell, output_to_gate = let_out * (1 - high * high), 0.5 * high * slopes[3]
    cell_to_gates = tf.concat(
        [
            0.5 * candidates * slopes[0],
            0.5 * _of_step_before(states.cells, counts) * slopes[1],
            let_in * slopes[2],
        ],
        axis=1,
    )

    def step(state, come, held):
        gates_after, cell_after = state
        upstream, output_to_cell, cell_to_gates, output_to_gate, forget = come
        output = upstream + gates_after @ held[0]
        cell = cell_after + output * output_to_cell
        gates = tf.concat([tf.tile(cell, [1, 3]) * cell_to_gates, output * output_to_gate], 1)
        return (gates, cell * forget), (gates,)

    # A sentence that ended has no step after its last one: zeros.
    state = tf.zeros([0, 4 * units]), tf.zeros([0, units])
    read = (upstream, output_to_cell, cell_to_gates, output_to_gate, forget)
    return walk(
        counts, step, state, read, [tf.TensorSpec([None, 4 * units])], (backward,), back=True
    )[0]


def _of_step_before(packed: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """For each reading in one direction the row of the one read before it, zeros at a first one."""
    far = tf.gather(counts, rows_of(counts[1:]))
    later = tf.range(counts[0], tf.shape(packed)[0]) - far
    return tf.concat([tf.zeros([counts[0], packed.shape[1]]), tf.gather(packed, later)], 0)
