"""Rows from the output tensors of gRPC responses."""

import struct

import pytest

from serving.client import tf_serving_subset_pb2 as messages
from serving.client.grpc_transport import _rows
from serving.client.protocol import entities_of


def tensor(dtype, *sizes, **values):
    result = messages.Tensor(dtype=dtype, **values)
    for size in sizes:
        result.tensor_shape.dim.add(size=size)
    return result


@pytest.mark.parametrize(
    ("one", "rows"),
    [
        (tensor(9, 3, int64_val=[1, 2, 3]), [1, 2, 3]),
        (tensor(9, 3, tensor_content=struct.pack("<3q", 1, -2, 2**40)), [1, -2, 2**40]),
        (tensor(9, 3, int64_val=[1, 2]), [1, 2, 2]),  # the last value stands for all after it
        (tensor(9, 3), [0, 0, 0]),
        (tensor(3, 3, int_val=[4]), [4, 4, 4]),
        (tensor(1, 3, 2, float_val=[0.5, 0.25, 0, 1, 2, 3]), [[0.5, 0.25], [0, 1], [2, 3]]),
        (tensor(2, 3, 1, tensor_content=struct.pack("<3d", 1, 2, 3)), [[1], [2], [3]]),
        (
            tensor(7, 3, 2, string_val=[b"a", b"b", b"c", b"", b"", b""]),
            [[b"a", b"b"], [b"c", b""], [b"", b""]],
        ),
        (tensor(7, 3, 2), [[b"", b""]] * 3),
        (tensor(7, 3, 0), [[], [], []]),
    ],
)
def test_values_are_laid_out_in_rows(one, rows):
    result = _rows(one, 3)
    assert [list(row) if isinstance(rows[0], list) else row for row in result] == rows


@pytest.mark.parametrize(
    "one",
    [
        tensor(9, 2, int64_val=[1, 2]),
        tensor(9, int64_val=[1]),
        tensor(9, 3, 1, 1),
        tensor(9, 3, int64_val=[1, 2, 3, 4]),
        tensor(9, 3, tensor_content=b"12345678"),
        tensor(99, 3),
    ],
)
def test_a_tensor_of_another_form_is_refused(one):
    with pytest.raises((ValueError, KeyError, struct.error)):
        _rows(one, 3)


def test_entities_have_their_surface_and_padding_is_ignored():
    outputs = {
        "count": 1,
        "type": [b"PER", b"", b""],
        "start": [3, 0, 0],
        "end": [6, 0, 0],
        "score": [0.9, 0, 0],
    }
    [one] = entities_of("so Ada spoke", outputs)
    assert (one.text, one.type, one.start, one.end) == ("Ada", "PER", 3, 6)


def test_a_score_does_not_depend_on_its_number_of_digits():
    def score(value):
        return entities_of(
            "Ada", {"count": 1, "type": ["PER"], "start": [0], "end": [3], "score": [value]}
        )[0].score

    assert score(0.98) == score(0.9800000190734863) == score(0.980000019)


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"count": 2, "type": [""], "start": [0], "end": [0], "score": [0]},
        {"count": 1, "type": [""], "start": [0], "end": [0]},
        {"count": None, "type": [""], "start": [0], "end": [0], "score": [0]},
    ],
)
def test_fewer_values_than_entities_are_refused(outputs):
    with pytest.raises((KeyError, TypeError, ValueError)):
        entities_of("Ada", outputs)
