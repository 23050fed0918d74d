"""The LSTM (Hochreiter and Schmidhuber 1997) in both directions, and the loop over packed sentences
that it shares with the CRF.

`lstm_packed` computes what a token adds to the gates beforehand, once for each distinct token of
the batch, and then runs one loop a direction over packed tokens. `lstm_padded` uses TensorFlow's
BlockLSTM, whose loop is inside one operation: for a few sentences the number of operations is what
counts. `lstm` chooses between them.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from components.features.text_ops import row_ids
from components.tagger.batch import Packing

_MAX_PADDED = 16  # sentences up to which padding is tolerable: more of them differ more in length
_UNROLL = 4  # steps in an iteration of a packed scan


class Weights(NamedTuple):
    """The weights of one direction, in BlockLSTM's order.

    Attributes:
        kernel: float32 [width + units, 4 * units]. Rows: the input, then the previous output.
            Columns: input gate, forget gate, candidate, output gate.
        bias: float32 [4 * units].
    """

    kernel: tf.Tensor
    bias: tf.Tensor

    @property
    def units(self) -> int:
        return self.bias.shape[0] // 4

    def scaled(self) -> "Weights":
        """Scales the gates' columns so that one tanh computes all four: sigmoid(x) = (1 + tanh(x /
        2)) / 2.
        """
        scale = tf.repeat(tf.constant([0.5, 0.5, 1.0, 0.5]), self.units)
        return Weights(self.kernel * scale, self.bias * scale)


Directions = Sequence[Weights]
"""The weights of the forward and of the backward direction."""


def lstm(inputs: tf.Tensor, indices: tf.Tensor, packing: Packing, weights: Directions) -> tf.Tensor:
    """Runs the LSTM in both directions, without gradients.

    Args:
        inputs: inputs of the distinct tokens, float32 [unique, width].
        indices: row of each token in `inputs`, int32 [tokens].
        packing: of the batch.
        weights: of both directions.

    Returns:
        Forward, then backward outputs, float32 [tokens, 2 * units].
    """
    is_small = tf.size(packing.lengths) <= _MAX_PADDED
    arguments = (inputs, indices, packing, tuple(weights))
    return functional_if(is_small, lstm_padded, lstm_packed, arguments)


def lstm_padded(
    inputs: tf.Tensor, indices: tf.Tensor, packing: Packing, weights: Directions
) -> tf.Tensor:
    """Runs the LSTM over padded sentences; see `lstm`. Differentiable."""
    lengths, sentence_ids = packing.lengths, packing.sentence_ids
    starts = tf.cumsum(lengths, exclusive=True)
    longest, sentences = tf.reduce_max(lengths), tf.size(lengths)
    steps = tf.range(longest)[:, None]
    # Past its end a sentence reads some other token; these outputs are not used.
    forward = tf.minimum(starts + steps, tf.size(indices) - 1)  # (longest, sentences)
    backward = tf.maximum(starts + lengths - 1 - steps, 0)
    position = tf.range(tf.size(indices)) - tf.gather(starts, sentence_ids)  # (tokens)
    position_backward = tf.gather(lengths, sentence_ids) - 1 - position

    def outputs(tokens: tf.Tensor, positions: tf.Tensor, weights: Weights) -> tf.Tensor:
        zeros = tf.zeros([sentences, weights.units])
        no_peepholes = tf.zeros([weights.units])
        block = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.cast(longest, tf.int64),
            x=tf.gather(inputs, tf.gather(indices, tokens)),  # (longest, sentences, width)
            cs_prev=zeros,
            h_prev=zeros,
            w=weights.kernel,
            wci=no_peepholes,
            wcf=no_peepholes,
            wco=no_peepholes,
            b=weights.bias,
        )
        rows = tf.reshape(block.h, [-1, weights.units])
        return tf.gather(rows, positions * sentences + sentence_ids)  # (tokens, units)

    return tf.concat(
        [outputs(forward, position, weights[0]), outputs(backward, position_backward, weights[1])],
        axis=1,
    )


def lstm_packed(
    inputs: tf.Tensor, indices: tf.Tensor, packing: Packing, weights: Directions
) -> tf.Tensor:
    """Runs the LSTM over packed sentences; see `lstm`. Differentiable.

    Each direction has its own loop, so that two cores can run one each.
    """
    outputs = []
    for positions, direction in zip((packing.forward, packing.backward), weights, strict=True):
        scaled = direction.scaled()
        width = direction.kernel.shape[0] - direction.units
        input_kernel, recurrent_kernel = tf.split(scaled.kernel, [width, direction.units])
        gate_inputs = inputs @ input_kernel + scaled.bias  # (unique, 4 * units)
        outputs.append(
            _packed_direction(gate_inputs, recurrent_kernel, indices, packing.active, positions)
        )
    return tf.concat(outputs, 1)


def _packed_direction(
    gate_inputs: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    indices: tf.Tensor,
    active: tf.Tensor,
    positions: tf.Tensor,
) -> tf.Tensor:
    """Runs one direction of the LSTM, with its gradient in closed form.

    Differentiating the loop itself would multiply matrices at each step for the gradient of the
    recurrent kernel; here that is one product after the loop.

    Args:
        gate_inputs: what each distinct token adds to the scaled gates, float32 [unique, 4 * units].
        recurrent_kernel: scaled, float32 [units, 4 * units].
        indices: row of each token in `gate_inputs`, int32 [tokens].
        active: sentences at each step, int32 [steps].
        positions: packed position of each token, int32 [tokens].

    Returns:
        Outputs in flat order, float32 [tokens, units].
    """
    units = recurrent_kernel.shape[0]
    flat = tf.math.invert_permutation(positions)  # token at each packed position
    packed_indices = tf.gather(indices, flat)

    def step(state, inputs, constants):
        output, cell = state  # (active, units)
        gate_inputs, recurrent_kernel = constants
        tanh = tf.tanh(tf.gather(gate_inputs, inputs[0]) + output @ recurrent_kernel)
        input_gate, forget_gate, candidate, output_gate = tf.split(tanh, 4, axis=1)
        cell = 0.5 * ((1 + forget_gate) * cell + (1 + input_gate) * candidate)
        output = 0.5 * (1 + output_gate) * tf.tanh(cell)
        return (output, cell), (output, cell, tanh)

    @tf.custom_gradient
    def run(gate_inputs, recurrent_kernel):
        zeros = tf.zeros([tf.reduce_max(active), units])
        outputs, cells, tanh = packed_scan(
            step,
            active,
            (zeros, zeros),
            (packed_indices,),
            [tf.TensorSpec([None, width]) for width in (units, units, 4 * units)],
            (gate_inputs, recurrent_kernel),
        )

        def gradient(upstream):
            gates = _gate_gradients(
                tf.gather(upstream, flat), cells, tanh, active, tf.transpose(recurrent_kernel)
            )
            before = _previous_step(outputs, active)
            return (
                tf.math.unsorted_segment_sum(gates, packed_indices, tf.shape(gate_inputs)[0]),
                tf.matmul(before, gates, transpose_a=True),
            )

        return tf.gather(outputs, positions), gradient

    return run(gate_inputs, recurrent_kernel)


def _gate_gradients(
    upstream: tf.Tensor,
    cells: tf.Tensor,
    tanh: tf.Tensor,
    active: tf.Tensor,
    transposed_kernel: tf.Tensor,
) -> tf.Tensor:
    """Differentiates the loss with respect to the inputs of the scaled gates, from the last step to
    the first.

    Args:
        upstream: gradient with respect to the outputs, packed, float32 [tokens, units].
        cells: the cells, packed, float32 [tokens, units].
        tanh: the tanh of the scaled gates, packed, float32 [tokens, 4 * units].
        active: sentences at each step, int32 [steps].
        transposed_kernel: the transposed recurrent kernel, float32 [4 * units, units].

    Returns:
        Packed, float32 [tokens, 4 * units].
    """
    units = transposed_kernel.shape[1]
    input_gate, forget_gate, candidate, output_gate = tf.split(tanh, 4, axis=1)
    slopes = tf.split(1 - tanh * tanh, 4, axis=1)
    input_gate, forget_gate, output_gate = (
        0.5 * (1 + gate) for gate in (input_gate, forget_gate, output_gate)
    )
    cell_tanh = tf.tanh(cells)
    # Everything that does not depend on later steps, for all steps at once.
    output_to_cell = output_gate * (1 - cell_tanh * cell_tanh)
    output_to_gate = 0.5 * cell_tanh * slopes[3]
    cell_to_gates = tf.concat(
        [
            0.5 * candidate * slopes[0],
            0.5 * _previous_step(cells, active) * slopes[1],
            input_gate * slopes[2],
        ],
        axis=1,
    )

    def step(state, inputs, constants):
        later_gates, later_cell = state
        upstream, output_to_cell, cell_to_gates, output_to_gate, forget_gate = inputs
        output = upstream + later_gates @ constants[0]
        cell = later_cell + output * output_to_cell
        gates = tf.concat([tf.tile(cell, [1, 3]) * cell_to_gates, output * output_to_gate], 1)
        return (gates, cell * forget_gate), (gates,)

    (gates,) = packed_scan(
        step,
        active,
        (tf.zeros([0, 4 * units]), tf.zeros([0, units])),
        (upstream, output_to_cell, cell_to_gates, output_to_gate, forget_gate),
        [tf.TensorSpec([None, 4 * units])],
        (transposed_kernel,),
        reverse=True,
    )
    return gates


def _previous_step(packed: tf.Tensor, active: tf.Tensor) -> tf.Tensor:
    """Shifts packed rows by one step within their sentences; zeros at the first step."""
    sentences = active[0]
    distance = tf.gather(active, row_ids(active[1:]))
    previous = tf.range(sentences, tf.shape(packed)[0]) - distance
    return tf.concat([tf.zeros([sentences, packed.shape[1]]), tf.gather(packed, previous)], 0)


# --- The loop over packed tokens ---

Tensors = tuple[tf.Tensor, ...]


def packed_scan(
    step: Callable[[Tensors, Tensors, Tensors], tuple[Tensors, Tensors]],
    active: tf.Tensor,
    state: Tensors,
    inputs: Sequence[tf.Tensor],
    output_specs: Sequence[tf.TensorSpec],
    constants: Tensors = (),
    *,
    reverse: bool = False,
) -> list[tf.Tensor]:
    """Runs a recurrence over packed sentences, as `tf.scan` does over padded ones. Not
    differentiable.

    The lists of tensors are TensorFlow's raw ones, as a `tf.TensorArray` cannot be passed to a
    function.

    Args:
        step: takes the state, the inputs of a step, each [active sentences, ...], and the
            constants. Returns the next state and the outputs of the step.
        active: sentences at each step, as in `Packing`.
        state: the first state, each [sentences, ...], all of the same rank. Sentences that have
            ended are cut off. In reverse, sentences that begin get zeros, and the first state has
            no rows.
        inputs: packed, each [tokens, ...].
        output_specs: of the outputs of a step.
        constants: tensors that each step reads.
        reverse: from the last step to the first.

    Returns:
        The outputs, packed.
    """
    # Steps without tokens complete the last iteration.
    active = tf.pad(active, [[0, -tf.size(active) % _UNROLL]])
    steps, rank = tf.size(active), len(state[0].shape)
    # How the state's rows change before each step. Computed here, as each operation in the loop
    # counts.
    if reverse:
        entering = active - tf.concat([active[1:], [0]], 0)
        # paddings (steps, rank, 2)
        resizing = tf.pad(entering[:, None, None], [[0, 0], [0, rank - 1], [1, 0]])
    else:
        # sizes (steps, rank), -1 for all
        resizing = tf.pad(active[:, None], [[0, 0], [0, rank - 1]], constant_values=-1)
    input_lists = tuple(
        tf.raw_ops.TensorListSplit(
            tensor=packed, element_shape=_any_rows(packed), lengths=tf.cast(active, tf.int64)
        )
        for packed in inputs
    )
    output_lists = tuple(
        tf.raw_ops.TensorListReserve(
            element_shape=_any_rows(spec), num_elements=steps, element_dtype=spec.dtype
        )
        for spec in output_specs
    )

    def resize(part: tf.Tensor, how: tf.Tensor) -> tf.Tensor:
        resized = tf.pad(part, how) if reverse else tf.slice(part, [0] * rank, how)
        resized.set_shape([None, *part.shape[1:]])
        return resized

    def iteration(t, state, output_lists, input_lists, resizing, constants):
        for _ in range(_UNROLL):
            step_inputs = tuple(
                tf.raw_ops.TensorListGetItem(
                    input_handle=handle,
                    index=t,
                    element_shape=_any_rows(packed),
                    element_dtype=packed.dtype,
                )
                for handle, packed in zip(input_lists, inputs)
            )
            how = tf.gather(resizing, t)
            state = tuple(resize(part, how) for part in state)
            state, outputs = step(state, step_inputs, constants)
            output_lists = tuple(
                tf.raw_ops.TensorListSetItem(input_handle=handle, index=t, item=output)
                for handle, output in zip(output_lists, outputs, strict=True)
            )
            t += -1 if reverse else 1
        return t, state, output_lists

    _, _, output_lists = functional_while(
        (lambda t, *_: t >= 0)
        if reverse
        else (lambda t, state, outputs, inputs, resizing, constants: t < tf.shape(resizing)[0]),
        iteration,
        (steps - 1 if reverse else tf.constant(0), state, output_lists),
        (
            tf.TensorSpec([], tf.int32),
            tuple(tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in state),
            tuple(tf.TensorSpec([], tf.variant) for _ in output_specs),
        ),
        (input_lists, resizing, tuple(constants)),
    )
    return [
        tf.raw_ops.TensorListConcatV2(
            input_handle=handle,
            element_shape=_any_rows(spec),
            leading_dims=tf.zeros([0], tf.int64),
            element_dtype=spec.dtype,
        ).tensor
        for handle, spec in zip(output_lists, output_specs, strict=True)
    ]


def _any_rows(tensor: tf.Tensor | tf.TensorSpec) -> list[int]:
    """The tensor's shape with any number of rows."""
    return [-1, *tensor.shape[1:]]


# --- Control flow that stays in functions ---
#
# TensorFlow lowers `tf.while_loop` and `tf.cond` to control flow between single operations (Yu et
# al. 2018, Dynamic control flow in large-scale machine learning), which costs something at every
# operation. The functional operations below are not lowered. Their bodies are traced alone:
# whatever they read must be passed to them. They have no gradients.


def functional_while(
    condition: Callable[..., tf.Tensor],
    body: Callable[..., tuple],
    state: tuple,
    specs: tuple,
    constants: tuple = (),
) -> tuple:
    """Runs `body` while `condition` holds, as `tf.while_loop` does.

    Args:
        condition: takes the parts of the state, then the constants; returns a boolean.
        body: takes the same; returns the next state.
        state: the first state; its parts are tensors or nested tuples of them.
        specs: `tf.TensorSpec` of each tensor of the state, for all iterations.
        constants: tensors, or nested tuples of them, that do not change.

    Returns:
        The last state.
    """
    arguments = (*state, *constants)
    specs = (*specs, *tf.nest.map_structure(_spec, constants))
    results = tf.raw_ops.StatelessWhile(
        input=tf.nest.flatten(arguments),
        cond=_concrete(condition, specs),
        body=_concrete(lambda *values: (*body(*values), *values[len(state) :]), specs),
        output_shapes=[spec.shape for spec in tf.nest.flatten(specs)],
    )
    return tf.nest.pack_sequence_as(arguments, results)[: len(state)]


def functional_if(
    condition: tf.Tensor,
    true_fn: Callable[..., tf.Tensor],
    false_fn: Callable[..., tf.Tensor],
    arguments: tuple,
) -> tf.Tensor:
    """Calls `true_fn` or `false_fn`, as `tf.cond` does; both return one tensor."""
    specs = tf.nest.map_structure(_spec, arguments)
    branches = [_concrete(function, specs) for function in (true_fn, false_fn)]
    shapes = [branch.structured_outputs.shape for branch in branches]
    (result,) = tf.raw_ops.StatelessIf(
        cond=condition,
        input=tf.nest.flatten(arguments),
        Tout=[branches[0].structured_outputs.dtype],
        then_branch=branches[0],
        else_branch=branches[1],
        output_shapes=[shapes[0].most_specific_compatible_shape(shapes[1])],
    )
    return result


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _concrete(function: Callable[..., Any], specs: tuple) -> tf.types.experimental.ConcreteFunction:
    """Traces a function; raises ValueError if it reads anything but its arguments."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    if concrete.captured_inputs:
        raise ValueError(
            f"a functional loop or branch reads {concrete.captured_inputs};"
            " expected its arguments alone"
        )
    return concrete
