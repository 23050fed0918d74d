"""JSON bodies of REST's predict: the row form (`instances`) and the column form (`inputs`), to NumPy arrays and back.

Errors are in TensorFlow Serving's words.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.server.signature import Signature
from serving.server.status import Code, RequestError
from serving.server.status import invalid_argument as invalid

_TYPES = {dict: "Object", list: "Array", str: "String", bool: "Bool", type(None): "Null"}
_MOST_QUOTED = 80  # characters of a value that an error quotes


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises RequestError, INVALID_ARGUMENT, for anything else."""
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    try:
        fields = json.loads(
            # As TensorFlow Serving reads it: UTF-8 with or without faults, the first of equal keys.
            body.decode("utf-8-sig", "replace"),
            object_pairs_hook=_first_of_equal_keys,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except (ValueError, RecursionError) as error:  # thousands of digits, or nested too deep
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(fields, dict):
        raise invalid(f"JSON Value: {_quote(fields)} Is not object")
    name = fields.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_quote(name)} not formatted correctly. 'signature_name' key must be a"
            " string value."
        )
    return fields


def _first_of_equal_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    return values if len(values) == len(pairs) else dict(reversed(pairs))


def _finite(digits: str) -> float:
    number = float(digits)
    if not np.isfinite(number):
        raise ValueError(f"Number too big to be stored in double: {digits[:_MOST_QUOTED]}")
    return number


def arrays_of(fields: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The inputs of a signature in a parsed body. Raises RequestError, INVALID_ARGUMENT."""
    if "instances" in fields and "inputs" in fields:
        raise invalid(
            "JSON object: Not formatted correctly: expected one of the keys 'instances' and"
            " 'inputs', found both"
        )
    if "instances" in fields:
        columns = _columns_of_rows(fields["instances"], signature)
    elif "inputs" in fields:
        columns = _columns_of_inputs(fields["inputs"], signature)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    return {alias: array_of(columns[alias], spec.dtype) for alias, spec in signature.inputs.items()}


def _columns_of_rows(rows: Any, signature: Signature) -> dict[str, list]:
    """The values of each input in `instances`."""
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_quote(rows)} Expecting 'instances' to be a list")
    if not rows:
        raise invalid("No values in 'instances' array")
    is_named = _is_object(rows[0])
    for index, row in enumerate(rows):
        if _is_object(row) != is_named:
            raise invalid(
                "Expecting object/value types of 'instances' to be the same, found"
                f" {_quote(row)} at {index}"
            )
    if not is_named:
        if len(signature.inputs) != 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors"
                " required as per tensorinfo_map"
            )
        return dict.fromkeys(signature.inputs, rows)
    for index, row in enumerate(rows):
        prefix = f"Failed to process element: {index} of 'instances' list."
        for name in row:
            if name not in signature.inputs:
                raise invalid(f"{prefix} JSON object: does not have named input: {name}")
        if missing := sorted(signature.inputs.keys() - row.keys()):
            raise invalid(f"{prefix} Missing named input: {', '.join(missing)}")
    return {alias: [row[alias] for row in rows] for alias in signature.inputs}


def _columns_of_inputs(inputs: Any, signature: Signature) -> Mapping[str, Any]:
    """The value of each input in `inputs`; names that the signature lacks are ignored."""
    if not _is_object(inputs):
        if len(signature.inputs) != 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors"
                " required as per tensorinfo_map"
            )
        return dict.fromkeys(signature.inputs, inputs)
    for alias in signature.inputs:
        if alias not in inputs:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
    return inputs


def array_of(value: Any, dtype: str) -> np.ndarray:
    """A dense tensor of nested lists. Raises RequestError, INVALID_ARGUMENT, where a value has another type or size."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    flat: list = []
    _flatten(value, 0, shape, dtype, flat)
    try:
        array = np.array(flat, object if dtype == "string" else dtype)
    except (OverflowError, TypeError):
        raise _loss_of_precision(value, dtype) from None
    return array.reshape(shape)


def _flatten(value: Any, level: int, shape: list[int], dtype: str, flat: list) -> None:
    """Appends the leaves of nested lists to `flat`."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_quote(value)} found at incorrect level: {level + 1} in the JSON DOM."
                f" Expected at level: {len(shape)}"
            )
        flat.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size:"
            f" {shape[level]}"
        )
    for item in value:
        _flatten(item, level + 1, shape, dtype, flat)


def _leaf(value: Any, dtype: str) -> Any:
    """A JSON value that is not a list, as a value of the dtype."""
    kind = type(value)
    if dtype == "string":
        if kind is str:
            try:
                return value.encode()
            except UnicodeEncodeError:
                raise invalid(
                    "JSON Parse error: The surrogate pair in string is invalid."
                ) from None
        if kind is dict:
            return _decode_base64(value)
    elif dtype == "bool":
        if kind is bool:
            return value
    elif dtype.startswith(("int", "uint")):
        if kind is int and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
            return value
    elif dtype.startswith("float"):
        limits = np.finfo(dtype)
        if kind is int and abs(value) >= 2 ** (limits.nmant + 1):
            raise _loss_of_precision(value, dtype)
        if kind is float and np.isfinite(value) and abs(value) > float(limits.max):
            raise _loss_of_precision(value, dtype)
        if kind in (int, float):
            return value
    else:
        raise RequestError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {_quote(value)} to type: {dtype}"
        )
    raise invalid(
        f"JSON Value: {_quote(value)} Type: {_TYPES.get(kind, 'Number')} is not of expected type:"
        f" {dtype}"
    )


def _loss_of_precision(value: Any, dtype: str) -> RequestError:
    return invalid(
        f"Cannot convert JSON value: {_quote(value)} to {dtype} without loss of precision."
    )


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_object(value: Any) -> bool:
    """Whether a value names inputs; an object that holds base64 is a plain value."""
    return isinstance(value, dict) and not _is_base64(value)


def _decode_base64(value: dict) -> bytes:
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_quote(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"] + "=" * (-len(value["b64"]) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def answer(outputs: Mapping[str, np.ndarray], by_rows: bool) -> bytes:
    """The body of an answer. Raises RequestError, INVALID_ARGUMENT, where outputs have no rows that belong together."""
    values = {alias: _plain(alias, array) for alias, array in outputs.items()}
    [*only] = values.values()
    if not by_rows:
        content = {"outputs": only[0] if len(only) == 1 else values}
    else:
        sizes = {array.shape[0] if array.ndim else None for array in outputs.values()}
        if len(sizes) != 1 or None in sizes:
            shapes = ", ".join(f"{alias} {list(array.shape)}" for alias, array in outputs.items())
            raise invalid(
                "Outputs have inconsistent batch sizes, ask with 'inputs' instead of 'instances':"
                f" {shapes}"
            )
        rows = [dict(zip(values, row)) for row in zip(*only)]
        content = {"predictions": only[0] if len(only) == 1 else rows}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _plain(alias: str, array: np.ndarray) -> Any:
    """An output as nested lists of JSON values."""
    if array.dtype == object:
        as_base64 = alias.endswith("_bytes")
        values = [
            {"b64": base64.b64encode(item).decode()}
            if as_base64
            else item.decode("utf-8", "replace")
            for item in array.ravel()
        ]
        return np.array(values, object).reshape(array.shape).tolist()
    if array.dtype in (np.float32, np.float16):
        # 0.9 must not come out as 0.8999999761581421.
        return array.astype("U32").astype(np.float64).tolist()
    return array.tolist()


def _quote(value: Any) -> str:
    """The start of a value, for an error."""
    is_nested = isinstance(value, (list, dict))
    text = repr(value) if is_nested else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…"
