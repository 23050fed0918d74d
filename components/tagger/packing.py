"""Sentences of different lengths, packed: all first tokens, then all second ones and so on, sentences in falling order of length.

A recurrence over packed tokens spends no work on padding. Both directions are read side by side, in one loop: at each step come
the tokens that are read ahead, then as many that are read back.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf


class Packing(NamedTuple):
    """Where tokens go. Flat order is sentence after sentence; a token has two packed places, one for each direction.

    `lengths` int32 `[sentences]`; `counts` int32 `[steps]`, sentences that are read at each step. A reading is a token in a
    direction, numbered `2 * place in flat order + direction` (0 ahead, 1 back): `readings` int32 `[2 * tokens]` has the reading
    at each packed place, `places` of the same shape the packed place of each reading.
    """

    lengths: tf.Tensor
    counts: tf.Tensor
    readings: tf.Tensor
    places: tf.Tensor


def pack(lengths: tf.Tensor) -> Packing:
    """The packing of sentences of `lengths`, int32 `[sentences]`."""
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    starts, sorted_lengths = tf.gather(tf.cumsum(lengths, exclusive=True), order), tf.gather(lengths, order)
    mask = tf.transpose(tf.sequence_mask(sorted_lengths))
    step, direction, sentence = tf.unstack(tf.cast(tf.where(tf.stack([mask, mask], 1)), tf.int32), axis=1)
    from_first = tf.where(direction == 0, step, tf.gather(sorted_lengths, sentence) - 1 - step)
    readings = 2 * (tf.gather(starts, sentence) + from_first) + direction
    counts = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    return Packing(lengths, counts, readings, inverse(readings))


def inverse(permutation: tf.Tensor) -> tf.Tensor:
    """The permutation, int32 `[n]`, that takes this one back."""
    return tf.scatter_nd(permutation[:, None], tf.range(tf.size(permutation)), tf.shape(permutation))


def rows(values: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """What both directions have at a step, `[2, count, width]`, of packed values `[2 * tokens, width]`."""
    return tf.reshape(values[2 * start : 2 * (start + count)], [2, count, values.shape[1]])


def walk(
    counts: tf.Tensor,
    step: Callable[[tf.Tensor, tf.Tensor, tuple], tuple[tuple, tuple]],
    state: tuple[tf.Tensor, ...],
    kept: Sequence[tf.TensorSpec],
    *,
    back: bool = False,
) -> list[tf.Tensor]:
    """Runs `step` over all steps, or from the last one back, and gives what it kept, in packed order.

    Args:
      counts: as `Packing` has them.
      step: takes how many tokens of one direction came before, how many come, and the state; gives the state, and a tensor for
        each of `kept`. Going ahead the state it gets has as many sentences as come, or more; going back as many, or fewer.
      state: at the beginning.
      kept: what each step keeps; the first dimension is None.
    """
    ends, steps = tf.cumsum(counts), tf.size(counts)

    def body(t, state, arrays):
        state, values = step(ends[t] - counts[t], counts[t], state)
        return t + (-1 if back else 1), state, tuple(array.write(t, value) for array, value in zip(arrays, values))

    arrays = tuple(tf.TensorArray(spec.dtype, steps, infer_shape=False, element_shape=spec.shape) for spec in kept)
    # How many sentences a state has changes from step to step; that axis is followed by a width, if any.
    shapes = tuple(tf.TensorShape([*part.shape[:-2], None, *part.shape[1:][-1:]]) for part in state)
    *_, arrays = tf.while_loop(
        (lambda t, *_: t >= 0) if back else (lambda t, *_: t < steps),
        body,
        (steps - 1 if back else tf.constant(0), state, arrays),
        shape_invariants=(tf.TensorShape([]), shapes, tuple(tf.TensorShape(None) for _ in kept)),
    )
    return [array.concat() for array in arrays]
