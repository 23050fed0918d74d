"""Functional loops and branches, eagerly and in a graph."""

import pytest
import tensorflow as tf

from components.tagger.recurrence import functional_if, functional_while


def powers(base, most):
    """The powers of a base up to a maximum, as rows of growing length."""
    return functional_while(
        lambda found, rest: found[-1] * rest[0] <= rest[1],
        lambda found, rest: (tf.concat([found, found[-1:] * rest[0]], 0),),
        (tf.constant([1]),),
        (tf.TensorSpec([None], tf.int32),),
        ((base, most),),
    )[0]


def size(number):
    return functional_if(
        number < 10,
        lambda number, values: tf.fill([number], values[0]),
        lambda number, values: tf.fill([0], values[1]),
        (number, (tf.constant("small"), tf.constant("large"))),
    )


@pytest.mark.parametrize("where", [lambda function: function, tf.function])
def test_a_loop_runs_while_its_condition_is_true(where):
    found = where(powers)
    assert found(tf.constant(3), tf.constant(100)).numpy().tolist() == [1, 3, 9, 27, 81]
    assert found(tf.constant(3), tf.constant(2)).numpy().tolist() == [1]


@pytest.mark.parametrize("where", [lambda function: function, tf.function])
def test_the_condition_selects_the_branch(where):
    found = where(size)
    small, large = found(tf.constant(3)), found(tf.constant(30))
    assert small.numpy().tolist() == [b"small"] * 3 and large.shape == [0]


def test_loops_and_branches_stay_functions_in_the_graph():
    operations = {
        operation.type
        for function in (powers, size)
        for operation in tf.function(function)
        .get_concrete_function(*[tf.TensorSpec([], tf.int32)] * function.__code__.co_argcount)
        .graph.get_operations()
    }
    assert {"StatelessWhile", "StatelessIf"} <= operations


def test_a_body_that_captures_a_tensor_is_refused():
    @tf.function
    def reads(number):
        return functional_if(
            number > 0, lambda given: given, lambda given: given + number, (tf.constant(1),)
        )

    with pytest.raises(ValueError, match="expected its arguments"):
        reads(tf.constant(1))
