"""JSON requests and responses of REST's predict in row and column format."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.server import rest_json
from serving.server.signature import Signature, TensorSpec
from serving.server.status import Code, RequestError

ONE = Signature({"text": TensorSpec("string", (None,))}, {})
TWO = Signature({"x": TensorSpec("int64", (None,)), "y": TensorSpec("float32", (None, 2))}, {})


def arrays(body, signature=ONE):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = rest_json.arrays_of(rest_json.parse(body), signature)
    return {alias: array.tolist() for alias, array in found.items()}


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ["Zoë", ""]},
        {"instances": [{"text": "Zoë"}, {"text": ""}]},
        {"instances": [{"b64": "Wm/Dqw=="}, ""]},
        {"instances": [{"text": {"b64": "Wm/Dqw"}}, {"text": ""}]},
        {"inputs": ["Zoë", ""]},
        {"inputs": {"text": ["Zoë", {"b64": ""}]}},
        {"inputs": {"text": ["Zoë", ""], "another": 3}},
        {"signature_name": "s", "inputs": {"text": ["Zoë", ""]}},
    ],
)
def test_row_and_column_requests_have_the_same_texts(body):
    assert arrays(body) == {"text": ["Zoë".encode(), b""]}


def test_several_inputs_are_given_by_name():
    expected = {"x": [1, 2], "y": [[0.5, 1.0], [2.0, 3.0]]}
    assert arrays({"inputs": {"x": [1, 2], "y": [[0.5, 1], [2, 3.0]]}}, TWO) == expected
    assert (
        arrays({"instances": [{"x": 1, "y": [0.5, 1]}, {"y": [2, 3.0], "x": 2}]}, TWO) == expected
    )


@pytest.mark.parametrize(
    ("body", "signature", "message"),
    [
        (b"", ONE, "JSON Parse error: The document is empty"),
        (b"{", ONE, "JSON Parse error: .* at offset: 1"),
        (b"\xff{}", ONE, "JSON Parse error"),
        (b"[" * 100_000, ONE, "JSON Parse error"),
        (b"9" * 10_000, ONE, "Is not object|JSON Parse error"),
        ([], ONE, "Is not object"),
        ({}, ONE, "Missing 'inputs' or 'instances' key"),
        ({"instances": ["a"], "inputs": ["a"]}, ONE, "found both"),
        ({"instances": []}, ONE, "No values in 'instances' array"),
        ({"instances": "a"}, ONE, "to be a list"),
        ({"instances": None}, ONE, "to be a list"),
        ({"instances": [1]}, ONE, "Type: Number is not of expected type: string"),
        ({"instances": [True]}, ONE, "Type: Bool is not of expected type: string"),
        ({"instances": [None]}, ONE, "Type: Null is not of expected type: string"),
        ({"instances": ["a", ["b"]]}, ONE, "unexpected level"),
        (
            {"instances": [["a"], ["b", "c"]]},
            ONE,
            "unexpected size: 2 at level: 1 expected size: 1",
        ),
        ({"instances": [["a"], "b"]}, ONE, "incorrect level"),
        ({"instances": [{"text": "a"}, "b"]}, ONE, "to be the same"),
        ({"instances": [{"word": "a"}]}, ONE, "does not have named input: word"),
        ({"instances": [{"text": "a", "word": "a"}]}, ONE, "does not have named input: word"),
        ({"instances": [{"x": 1}]}, TWO, "Missing named input: y"),
        ({"instances": [1]}, TWO, "expecting list of objects"),
        ({"inputs": [1]}, TWO, "expecting an object"),
        ({"inputs": {"x": [1]}}, TWO, "Missing named input: y"),
        ({"instances": [{"b64": "!"}]}, ONE, "Unable to base64 decode"),
        ({"instances": [{"text": {"b64": 1}}]}, ONE, "not formatted correctly for base64"),
        (b'{"instances": ["\\ud800"]}', ONE, "surrogate pair"),
        ({"signature_name": 1, "instances": ["a"]}, ONE, "'signature_name' key must be a string"),
        ({"inputs": {"x": [1.0], "y": [[1, 2]]}}, TWO, "not of expected type: int64"),
        ({"inputs": {"x": [2**63], "y": [[1, 2]]}}, TWO, "not of expected type: int64"),
        (
            {"inputs": {"x": [True], "y": [[1, 2]]}},
            TWO,
            "Type: Bool is not of expected type: int64",
        ),
        ({"inputs": {"x": [1], "y": [[1e39, 2]]}}, TWO, "without loss of precision"),
        ({"inputs": {"x": [1], "y": [[2**24 + 1, 2]]}}, TWO, "without loss of precision"),
        (
            {"inputs": {"x": [1], "y": [["1", 2]]}},
            TWO,
            "Type: String is not of expected type: float32",
        ),
        (
            {"inputs": {"x": [{"b64": ""}], "y": [[1, 2]]}},
            TWO,
            "Type: Object is not of expected type: int64",
        ),
    ],
)
def test_an_invalid_body_is_refused_with_its_reason(body, signature, message):
    with pytest.raises(RequestError, match=message) as raised:
        arrays(body, signature)
    assert raised.value.code is Code.INVALID_ARGUMENT and len(raised.value.message) < 500


def test_a_type_without_a_json_representation_is_unimplemented():
    with pytest.raises(RequestError) as raised:
        arrays({"instances": [1]}, Signature({"x": TensorSpec("complex64", (None,))}, {}))
    assert raised.value.code is Code.UNIMPLEMENTED


OUTPUTS = {
    "count": np.array([1, 0]),
    "score": np.array([[0.9], [0.0]], np.float32),
    "type": np.array([[b"PER"], [b""]], object),
    "raw_bytes": np.array([b"\xff", b""], object),
    "sure": np.array([True, False]),
}


def test_rows_of_several_outputs_are_objects():
    assert json.loads(rest_json.answer(OUTPUTS, by_rows=True)) == {
        "predictions": [
            {
                "count": 1,
                "score": [0.9],
                "type": ["PER"],
                "raw_bytes": {"b64": "/w=="},
                "sure": True,
            },
            {"count": 0, "score": [0.0], "type": [""], "raw_bytes": {"b64": ""}, "sure": False},
        ]
    }


def test_columns_of_several_outputs_are_named():
    answer = json.loads(rest_json.answer(OUTPUTS, by_rows=False))
    assert answer["outputs"]["count"] == [1, 0] and answer["outputs"]["score"] == [[0.9], [0.0]]


@pytest.mark.parametrize(("by_rows", "key"), [(True, "predictions"), (False, "outputs")])
def test_a_single_output_has_no_name(by_rows, key):
    assert json.loads(rest_json.answer({"count": np.array([1, 2])}, by_rows)) == {key: [1, 2]}


def test_nan_and_infinity_are_written_by_name():
    values = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert (
        rest_json.answer({"x": values}, by_rows=True) == b'{"predictions":[NaN,Infinity,-Infinity]}'
    )


@pytest.mark.parametrize(
    "outputs", [{"a": np.array(1)}, {"a": np.array([1]), "b": np.array([1, 2])}]
)
def test_outputs_without_common_rows_need_the_column_format(outputs):
    with pytest.raises(RequestError, match="inconsistent batch sizes"):
        rest_json.answer(outputs, by_rows=True)
    assert b"outputs" in rest_json.answer(outputs, by_rows=False)


def test_invalid_utf8_in_an_output_is_replaced():
    answer = rest_json.answer({"word": np.array([b"\xff", "Zoë".encode()], object)}, by_rows=True)
    assert json.loads(answer) == {"predictions": ["\ufffd", "Zoë"]}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(width=32), min_size=1))
def test_a_float_survives_json(values):
    array = np.array(values, np.float32)
    back = json.loads(rest_json.answer({"x": array}, by_rows=True))["predictions"]
    assert np.array_equal(np.array(back, np.float32), array, equal_nan=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["text", "b64", "x", "y"]) | st.text(), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name"]), JSON),
    st.sampled_from([ONE, TWO]),
)
def test_any_json_is_read_or_refused(fields, signature):
    try:
        found = rest_json.arrays_of(rest_json.parse(json.dumps(fields).encode()), signature)
    except RequestError as error:
        assert error.code is Code.INVALID_ARGUMENT
    else:
        assert found.keys() == signature.inputs.keys()
