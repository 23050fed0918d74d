"""Conversion between TensorProto and NumPy, and a check of inputs against a signature."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.signature import Signature
from serving.server.status import invalid_argument

# A TensorProto of a few bytes may fill any shape with one value; larger ones are refused.
MOST_VALUES = 2**24

# By TensorFlow's name: the field that holds the values, and the type's number.
_FIELDS = {
    name: (field, tf.as_dtype(name).as_datatype_enum)
    for names, field in (
        ("float32", "float_val"),
        ("float64", "double_val"),
        ("int8 int16 int32 uint8 uint16", "int_val"),
        ("uint32", "uint32_val"),
        ("int64", "int64_val"),
        ("uint64", "uint64_val"),
        ("bool", "bool_val"),
        ("string", "string_val"),
    )
    for name in names.split()
}


def array_of(proto: tensor_pb2.TensorProto, alias: str) -> np.ndarray:
    """Decodes a TensorProto. Raises RequestError, INVALID_ARGUMENT, if that fails."""
    try:
        shape = [dim.size for dim in proto.tensor_shape.dim]
        size = math.prod(shape)
        if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0 or size > MOST_VALUES:
            raise ValueError
        if proto.dtype == types_pb2.DT_STRING:
            return _strings(proto, shape, size)
        return tf.make_ndarray(proto)
    except Exception:  # NumPy and TensorFlow raise errors of any type for bytes that make no tensor
        raise invalid_argument(f"tensor parsing error: {alias}") from None


def _strings(proto: tensor_pb2.TensorProto, shape: list[int], size: int) -> np.ndarray:
    values = list(proto.string_val)
    if proto.tensor_content or len(values) > size:
        raise ValueError
    values += [values[-1] if values else b""] * (size - len(values))
    array = np.empty(size, object)
    array[:] = values
    return array.reshape(shape)


def fill(proto: tensor_pb2.TensorProto, array: np.ndarray, dtype: str) -> None:
    """Writes an array into a TensorProto: values in the repeated field of their type, as TensorFlow Serving answers."""
    if dtype not in _FIELDS:
        proto.CopyFrom(tf.make_tensor_proto(array, tf.as_dtype(dtype)))
        return
    field, proto.dtype = _FIELDS[dtype]
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    getattr(proto, field).extend(array.ravel().tolist())


def check_inputs(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Raises RequestError, INVALID_ARGUMENT, if names, types or shapes are not the signature's."""
    if inputs.keys() != signature.inputs.keys():
        sent, expected = sorted(inputs), sorted(signature.inputs)
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_braced(sent)})"
            f" != len({_braced(expected)}). Sent extra: {_braced(sorted({*sent} - {*expected}))}."
            f" Missing but required: {_braced(sorted({*expected} - {*sent}))}."
        )
    for index, alias in enumerate(sorted(inputs)):
        spec, array = signature.inputs[alias], inputs[alias]
        dtype = "string" if array.dtype == object else array.dtype.name
        if dtype != spec.dtype:
            raise invalid_argument(
                f"Expects arg[{index}] to be {_display_name(spec.dtype)} but {_display_name(dtype)}"
                " is provided"
            )
        if not spec.fits(array.shape):
            expected_shape = ",".join("?" if size is None else str(size) for size in spec.shape)
            raise invalid_argument(
                f"Expects {alias} to have the shape [{expected_shape}] but"
                f" [{','.join(map(str, array.shape))}] is provided"
            )


def _braced(aliases: list[str]) -> str:
    return f"{{{','.join(aliases)}}}"


def _display_name(dtype: str) -> str:
    """The name of a dtype in TensorFlow's messages."""
    return {"float16": "half", "float32": "float", "float64": "double"}.get(dtype, dtype)
