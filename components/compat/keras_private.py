"""Private API of Keras. Seen with Keras 3.12 and 3.15.

`tests/model/test_keras_contract.py` fails when one of them changes.
"""

import keras


def adam_slots(
    optimizer: keras.optimizers.Adam, variable: object
) -> tuple[keras.Variable, keras.Variable]:
    """Returns Adam's first and second moment of a variable.

    Keras has no public way to an optimizer's variables by the variable that they belong to. The
    project's Adam needs it to update single rows of a table.

    Args:
        optimizer: a built optimizer.
        variable: what Keras passes to `update_step`.
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]
