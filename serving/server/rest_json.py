"""JSON bodies of REST's predict: the row form (`instances`) and the column form (`inputs`), to NumPy arrays and back."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from serving.server.signature import Signature
from serving.server.status import Code, RequestError

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "float32", "float64")
_SHOWN = 80  # characters of a value that an error quotes


@dataclass(frozen=True)
class Request:
    """A parsed body. Whether it asks for anything is seen when `arrays_of` reads it, once its model is known."""

    fields: Mapping[str, Any]

    @property
    def signature(self) -> Optional[str]:
        """The signature that is asked for, if the request names one."""
        return self.fields.get("signature_name")

    @property
    def by_rows(self) -> bool:
        """Whether the answer is given as `predictions` too."""
        return "instances" in self.fields


def parse(body: bytes) -> Request:
    """The request in a body. Raises RequestError, INVALID_ARGUMENT, for what is no JSON object."""
    if not body.strip():
        raise _bad("JSON Parse error: The document is empty")
    try:
        fields = json.loads(
            # As TensorFlow Serving reads it: UTF-8 whose faults do not matter, the first of equal keys.
            body.decode("utf-8-sig", "replace"),
            object_pairs_hook=_first_of_equal_keys,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise _bad(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # no UTF-8, a number of thousands of digits, nested too deep
        raise _bad(f"JSON Parse error: {error}") from None
    if not isinstance(fields, dict):
        raise _bad(f"JSON Value: {_shown(fields)} Is not object")
    if not isinstance(fields.get("signature_name", ""), str):
        raise _bad(
            f"JSON Value: {_shown(fields['signature_name'])} not formatted correctly. 'signature_name' key must be a"
            " string value."
        )
    return Request(fields)


def _first_of_equal_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    return values if len(values) == len(pairs) else dict(reversed(pairs))


def _finite(digits: str) -> float:
    number = float(digits)
    if not np.isfinite(number):
        raise ValueError(f"Number too big to be stored in double: {digits[:_SHOWN]}")
    return number


def arrays_of(request: Request, signature: Signature) -> dict[str, np.ndarray]:
    """The inputs that a request gives to a signature. Raises RequestError, INVALID_ARGUMENT."""
    rows, columns = (request.fields.get(key) for key in ("instances", "inputs"))
    if "instances" in request.fields and "inputs" in request.fields:
        raise _bad(
            "JSON object: Not formatted correctly: expected one of the keys 'instances' and 'inputs', found both"
        )
    if "instances" in request.fields:
        return _from_rows(rows, signature)
    if "inputs" in request.fields:
        return _from_columns(columns, signature)
    raise _bad("Missing 'inputs' or 'instances' key")


def _from_rows(rows: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not isinstance(rows, list):
        raise _bad(f"JSON Value: {_shown(rows)} Expecting 'instances' to be a list")
    if not rows:
        raise _bad("No values in 'instances' array")
    columns: dict[str, list] = {alias: [] for alias in signature.inputs}
    named = isinstance(rows[0], dict) and not _is_base64(rows[0])
    if not named and len(columns) != 1:
        raise _bad(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    for place, row in enumerate(rows):
        if (isinstance(row, dict) and not _is_base64(row)) != named:
            raise _bad(
                f"Expecting object/value types of 'instances' to be the same, found {_shown(row)} at {place}"
            )
        if not named:
            next(iter(columns.values())).append(row)
            continue
        for name in row:
            if name not in columns:
                raise _bad(
                    f"Failed to process element: {place} of 'instances' list. JSON object: does not have named input: {name}"
                )
        if len(row) != len(columns):
            missing = sorted(set(columns) - set(row))
            raise _bad(
                f"Failed to process element: {place} of 'instances' list. Missing named input: {', '.join(missing)}"
            )
        for name, value in row.items():
            columns[name].append(value)
    return {
        alias: array_of(values, signature.inputs[alias].dtype) for alias, values in columns.items()
    }


def _from_columns(columns: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not isinstance(columns, dict) or _is_base64(columns):
        if len(signature.inputs) != 1:
            raise _bad(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
                " tensorinfo_map"
            )
        [alias] = signature.inputs
        columns = {alias: columns}
    arrays = {}
    for (
        alias,
        spec,
    ) in signature.inputs.items():  # others are passed over, as TensorFlow Serving does
        if alias not in columns:
            raise _bad(f"Missing named input: {alias} in 'inputs' object.")
        arrays[alias] = array_of(columns[alias], spec.dtype)
    return arrays


def array_of(value: Any, dtype: str) -> np.ndarray:
    """A dense tensor of nested lists. Raises RequestError, INVALID_ARGUMENT, where a value has another type or size."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    flat: list = []
    _flatten(value, 0, shape, dtype, flat)
    try:
        if dtype == "string":
            array = np.empty(len(flat), object)
            array[:] = flat
        else:
            array = np.array(flat, dtype)
    except (OverflowError, TypeError):
        raise _bad(
            f"Cannot convert JSON value: {_shown(value)} to {dtype} without loss of precision."
        ) from None
    return array.reshape(shape)


def _flatten(value: Any, level: int, shape: list[int], dtype: str, flat: list) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise _bad(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at level:"
                f" {len(shape)}"
            )
        flat.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise _bad(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise _bad(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for one in value:
        _flatten(one, level + 1, shape, dtype, flat)


def _leaf(value: Any, dtype: str) -> Any:
    kind = type(value)
    if dtype == "string":
        if kind is str:
            try:
                return value.encode()
            except UnicodeEncodeError:
                raise _bad("JSON Parse error: The surrogate pair in string is invalid.") from None
        if kind is dict:
            return _decoded(value)
    elif dtype == "bool":
        if kind is bool:
            return value
    elif dtype in _INTEGERS:
        if kind is int:
            limits = np.iinfo(dtype)
            if limits.min <= value <= limits.max:
                return value
    elif dtype in _FLOATS:
        if kind is float:
            return _in_range(value, dtype)
        if kind is int:
            if abs(value) < 2 ** (np.finfo(dtype).nmant + 1):
                return value
            raise _bad(
                f"Cannot convert JSON value: {_shown(value)} to {dtype} without loss of precision."
            )
    else:
        raise RequestError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {_shown(value)} to type: {dtype}"
        )
    raise _bad(
        f"JSON Value: {_shown(value)} Type: {_NAMES.get(kind, 'Number')} is not of expected type: {dtype}"
    )


_NAMES = {dict: "Object", list: "Array", str: "String", bool: "Bool", type(None): "Null"}


def _in_range(value: float, dtype: str) -> float:
    if np.isfinite(value) and abs(value) > np.finfo(dtype).max:
        raise _bad(
            f"Cannot convert JSON value: {_shown(value)} to {dtype} without loss of precision."
        )
    return value


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _decoded(value: dict) -> bytes:
    if not _is_base64(value):
        raise _bad(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"] + "=" * (-len(value["b64"]) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _bad("Unable to base64 decode") from None


def answer(outputs: Mapping[str, np.ndarray], by_rows: bool) -> bytes:
    """The body of an answer. Raises RequestError, INVALID_ARGUMENT, where outputs have no rows that belong together."""
    values = {alias: _plain(alias, array) for alias, array in outputs.items()}
    if not by_rows:
        only = next(iter(values.values())) if len(values) == 1 else values
        return _dumped({"outputs": only})
    sizes = {array.shape[0] if array.ndim else None for array in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        shapes = ", ".join(f"{alias} {list(array.shape)}" for alias, array in outputs.items())
        raise _bad(
            f"Outputs have inconsistent batch sizes, ask with 'inputs' instead of 'instances': {shapes}"
        )
    if len(values) == 1:
        return _dumped({"predictions": next(iter(values.values()))})
    return _dumped({"predictions": [dict(zip(values, row)) for row in zip(*values.values())]})


def _plain(alias: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        as_bytes = alias.endswith("_bytes")
        shown = [
            {"b64": base64.b64encode(one).decode()} if as_bytes else one.decode("utf-8", "replace")
            for one in array.ravel()
        ]
        wrapped = np.empty(len(shown), object)
        wrapped[:] = shown
        return wrapped.reshape(array.shape).tolist()
    if array.dtype in (np.float32, np.float16):
        # 0.9 must not come out as 0.8999999761581421.
        return array.astype("U32").astype(np.float64).tolist()
    return array.tolist()


def _dumped(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _bad(message: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, message)


def _shown(value: Any) -> str:
    text = (
        json.dumps(value, ensure_ascii=False)
        if not isinstance(value, (list, dict))
        else repr(value)[: _SHOWN * 2]
    )
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
