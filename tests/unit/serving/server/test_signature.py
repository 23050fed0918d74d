"""Which signatures may be batched across requests."""

import pytest

from serving.server.signature import Signature, TensorSpec

TEXT = {"text": TensorSpec("string", (None,))}
COUNT = TensorSpec("int64", (None,))
WIDE = TensorSpec("string", (None, None))


@pytest.mark.parametrize(
    ("inputs", "outputs", "batches"),
    [
        (TEXT, {"count": COUNT, "type": WIDE}, True),
        (TEXT, {"score": TensorSpec("float32", (None, 3))}, True),
        (TEXT, {"type": WIDE}, False),  # nothing tells how wide a request's own rows are
        (TEXT, {"count": TensorSpec("float32", (None,)), "type": WIDE}, False),
        (TEXT, {"count": COUNT, "type": TensorSpec("string", (None, None, None))}, False),
        (TEXT, {"total": TensorSpec("int64", ())}, False),
        (TEXT, {"anything": TensorSpec("int64", None)}, False),
        ({"text": TensorSpec("string", ())}, {"count": COUNT}, False),
        ({"text": TensorSpec("string", (2,))}, {"count": COUNT}, False),
    ],
)
def test_requests_may_be_batched_if_inputs_and_outputs_have_a_batch_dimension(
    inputs, outputs, batches
):
    assert Signature(inputs, outputs).batches is batches


@pytest.mark.parametrize(
    ("spec", "shape", "fits"),
    [
        ((None,), (3,), True),
        ((None,), (), False),
        ((None, 2), (3, 2), True),
        ((None, 2), (3, 3), False),
        ((), (), True),
        (None, (1, 2, 3), True),
    ],
)
def test_a_shape_is_checked_against_the_spec(spec, shape, fits):
    assert TensorSpec("int64", spec).fits(shape) is fits
