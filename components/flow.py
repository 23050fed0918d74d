"""Loops and branches whose bodies stay functions.

TensorFlow takes `tf.while_loop` and `tf.cond` apart into operations of the graph around them (Yu et al. 2018, Dynamic control flow
in large-scale machine learning): those of a loop are then told apart by iteration, and those of a branch that is not taken run to
say so. Where operations are as small as a recurrence's, that is a good part of what they cost.

A body is traced by itself, so all that it reads is handed to it. Arguments and results are tensors, or tuples of them, as deep as
one likes. Gradients do not go through.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def loop(
    condition: Callable[..., tf.Tensor],
    body: Callable[..., tuple],
    state: tuple,
    specs: tuple,
    held: tuple = (),
) -> tuple:
    """The state after `body`, as often as `condition` says so before it.

    Args:
      condition: takes all of the state, then all that is held; gives a bool.
      body: takes the same; gives the state after it.
      state: at the beginning.
      specs: the `tf.TensorSpec` of each tensor of the state, as it is in all iterations.
      held: what stays as it is.
    """
    inputs = (*state, *held)
    specs = (*specs, *tf.nest.map_structure(_spec, held))
    found = tf.raw_ops.StatelessWhile(
        input=tf.nest.flatten(inputs),
        cond=_function(condition, specs),
        body=_function(lambda *given: (*body(*given), *given[len(state) :]), specs),
        output_shapes=[spec.shape for spec in tf.nest.flatten(specs)],
    )
    return tf.nest.pack_sequence_as(inputs, found)[: len(state)]


def either(
    condition: tf.Tensor, then: Callable[..., Any], otherwise: Callable[..., Any], inputs: tuple
) -> Any:
    """What `then` makes of the inputs, or `otherwise`, as `condition` says."""
    branches = [
        _function(branch, tf.nest.map_structure(_spec, inputs)) for branch in (then, otherwise)
    ]
    outputs = [tf.nest.flatten(branch.structured_outputs) for branch in branches]
    found = tf.raw_ops.StatelessIf(
        cond=condition,
        input=tf.nest.flatten(inputs),
        Tout=[one.dtype for one in outputs[0]],
        then_branch=branches[0],
        else_branch=branches[1],
        output_shapes=[
            one.shape.most_specific_compatible_shape(other.shape)
            for one, other in zip(*outputs, strict=True)
        ],
    )
    return tf.nest.pack_sequence_as(branches[0].structured_outputs, found)


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _function(body: Callable[..., Any], specs: tuple):
    function = tf.function(body, autograph=False).get_concrete_function(*specs)
    if function.captured_inputs:
        raise ValueError(f"a loop or branch reads what it is not given: {function.captured_inputs}")
    return function
