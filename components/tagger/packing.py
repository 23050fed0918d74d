"""Sentences of different lengths, packed: all first tokens, then all second ones and so on, sentences in falling order of length.

A recurrence over packed tokens spends no work on padding. Both directions are read side by side, in one loop: at each step come
the tokens that are read ahead, then as many that are read back.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from components import flow
from components.flat import rows_of

_AT_A_TIME = 4  # steps in a round, which is a call: one a step took more of the processor


class Packing(NamedTuple):
    """Where tokens go. Flat order is sentence after sentence; a token has two packed places, one for each direction.

    `lengths` int32 `[sentences]`; `owners` int32 `[tokens]`, the sentence of each token; `counts` int32 `[steps]`, sentences
    that are read at each step. A reading is a token in a direction, numbered `2 * place in flat order + direction` (0 ahead, 1
    back): `readings` int32 `[2 * tokens]` has the reading at each packed place, `places` of the same shape the packed place of
    each reading.
    """

    lengths: tf.Tensor
    owners: tf.Tensor
    counts: tf.Tensor
    readings: tf.Tensor
    places: tf.Tensor


# Of sentences whatever their number, for a function that is traced once.
PACKING = Packing(*[tf.TensorSpec([None], tf.int32)] * len(Packing._fields))


def pack(lengths: tf.Tensor) -> Packing:
    """The packing of sentences of `lengths`, int32 `[sentences]`."""
    falling = tf.argsort(lengths, direction="DESCENDING", stable=True)
    starts, sorted_lengths = (
        tf.gather(tf.cumsum(lengths, exclusive=True), falling),
        tf.gather(lengths, falling),
    )
    mask = tf.transpose(tf.sequence_mask(sorted_lengths))
    step, direction, sentence = tf.unstack(
        tf.cast(tf.where(tf.stack([mask, mask], 1)), tf.int32), axis=1
    )
    from_first = tf.where(direction == 0, step, tf.gather(sorted_lengths, sentence) - 1 - step)
    readings = 2 * (tf.gather(starts, sentence) + from_first) + direction
    counts = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    return Packing(lengths, rows_of(lengths), counts, readings, inverse(readings))


def order(packing: Packing, direction: int) -> tf.Tensor:
    """The places in flat order of the tokens that one direction reads, as it reads them, int32 `[tokens]`."""
    return tf.gather_nd(packing.readings, tf.where(packing.readings % 2 == direction)) // 2


def inverse(permutation: tf.Tensor) -> tf.Tensor:
    """The permutation, int32 `[n]`, that takes this one back."""
    return tf.scatter_nd(
        permutation[:, None], tf.range(tf.size(permutation)), tf.shape(permutation)
    )


def walk(
    counts: tf.Tensor,
    step: Callable[[tuple, tuple, tuple], tuple[tuple, tuple]],
    state: tuple[tf.Tensor, ...],
    read: Sequence[tf.Tensor],
    kept: Sequence[tf.TensorSpec],
    held: Sequence[tf.Tensor] = (),
    *,
    back: bool = False,
) -> list[tf.Tensor]:
    """Runs `step` over all steps, or from the last one back, and gives what it kept, in packed order.

    Args:
      counts: as `Packing` has them.
      step: takes the state and what is read at a step, each `[directions, sentences of this step, width]`, and what is held; gives
        the state after it, and a tensor of the same first two dimensions for each of `kept`. Where the state has one direction
        and does without that dimension, so does all else: to add and remove it took a tenth of a step of training.
      state: at the beginning, `[directions, sentences, width]`, or `[sentences, width]`. Sentences that have ended are cut off;
        going back, those that come in get zeros.
      read: packed, `[directions * tokens, ...]`.
      kept: what each step keeps; the first dimension is None.
      held: all else that a step reads.
    """
    outer = state[0].shape.as_list()[:-2]  # [directions] or nothing
    directions, rank = math.prod(outer), len(outer) + 2
    # Steps that read nothing fill up the last round.
    counts = tf.pad(counts, [[0, -tf.size(counts) % _AT_A_TIME]])
    steps = tf.size(counts)
    # What a step has to know is laid out before: where few sentences are read, a step costs what the number of its operations is.
    if back:
        coming = counts - tf.concat([counts[1:], tf.shape(state[0])[-2:-1]], 0)
        fits = tf.pad(
            coming[:, None, None], [[0, 0], [rank - 2, 1], [1, 0]]
        )  # paddings [steps, rank, 2]
    else:
        fits = tf.pad(
            counts[:, None], [[0, 0], [rank - 2, 1]], constant_values=-1
        )  # sizes [steps, rank], -1 for all
    # What a TensorArray has inside: itself it cannot be handed to a function.
    inputs = tuple(
        tf.raw_ops.TensorListSplit(
            tensor=part, element_shape=_one_of(part), lengths=tf.cast(directions * counts, tf.int64)
        )
        for part in read
    )
    outputs = tuple(
        tf.raw_ops.TensorListReserve(
            element_shape=_one_of(part), num_elements=steps, element_dtype=part.dtype
        )
        for part in kept
    )

    def fitted(part, fit):
        found = tf.pad(part, fit) if back else tf.slice(part, [0] * rank, fit)
        found.set_shape([*outer, None, part.shape[-1]])
        return found

    def rows(part, shape):
        return tf.reshape(part, shape) if outer else part

    def one_round(t, state, outputs, inputs, fits, held):
        for _ in range(_AT_A_TIME):
            come = (
                rows(_item(one, t, part), [*outer, -1, *part.shape[1:]])
                for one, part in zip(inputs, read)
            )
            fit = tf.gather(fits, t)
            state, values = step(tuple(fitted(part, fit) for part in state), tuple(come), held)
            outputs = tuple(
                tf.raw_ops.TensorListSetItem(
                    input_handle=one, index=t, item=rows(value, _one_of(part))
                )
                for one, value, part in zip(outputs, values, kept, strict=True)
            )
            t += -1 if back else 1
        return t, state, outputs

    specs = (
        tf.TensorSpec([], tf.int32),
        tuple(tf.TensorSpec([*outer, None, part.shape[-1]], part.dtype) for part in state),
        tuple(tf.TensorSpec([], tf.variant) for _ in kept),
    )
    *_, outputs = flow.loop(
        (lambda t, *others: t >= 0)
        if back
        else (lambda t, state, outputs, inputs, fits, held: t < tf.shape(fits)[0]),
        one_round,
        (steps - 1 if back else tf.constant(0), state, outputs),
        specs,
        (inputs, fits, tuple(held)),
    )
    return [_joined(one, part) for one, part in zip(outputs, kept, strict=True)]


def _one_of(like: tf.Tensor | tf.TensorSpec) -> list[int]:
    """The shape of what a list of parts of such a tensor has."""
    return [-1, *like.shape[1:]]


def _item(handle: tf.Tensor, number: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.TensorListGetItem(
        input_handle=handle, index=number, element_shape=_one_of(like), element_dtype=like.dtype
    )


def _joined(handle: tf.Tensor, like: tf.TensorSpec) -> tf.Tensor:
    return tf.raw_ops.TensorListConcatV2(
        input_handle=handle,
        element_shape=_one_of(like),
        leading_dims=tf.zeros([0], tf.int64),
        element_dtype=like.dtype,
    ).tensor
