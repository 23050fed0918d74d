"""A SavedModel that the server has loaded: its signatures, warm-up and errors; TensorProto and NumPy."""

import contextlib
import ctypes
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.export import saved_model
from serving.server.signature import Signature, TensorSpec, check_inputs
from serving.server.status import Code, RequestError, invalid_argument

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_WARMUPS = 1000
# Lines that TensorFlow puts above the error message itself.
_HEADINGS = ("Graph execution error:", "Detected at node", "<stack traces unavailable>", "File ")
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


class SavedModel:
    """A loaded SavedModel. Raises RequestError if it cannot be loaded."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._model = saved_model.SavedModel(path)
            self.definitions = self._model.definitions
            self.signatures = {
                name: Signature(
                    {alias: _spec(info) for alias, info in definition.inputs.items()},
                    {alias: _spec(info) for alias, info in definition.outputs.items()},
                    definition.method_name,
                )
                for name, definition in self.definitions.items()
            }
        except Exception as error:
            raise _as_request_error(error) from None

    def run(
        self, signature: str, inputs: Mapping[str, np.ndarray], seconds: float | None = None
    ) -> dict[str, np.ndarray]:
        """The signature's outputs by alias, for inputs that fit it.

        Raises RequestError where the model fails, DEADLINE_EXCEEDED where it takes more than `seconds`.
        """
        try:
            return self._model.run(signature, inputs, seconds)
        except Exception as error:
            raise _as_request_error(error) from None

    def warm_up(self) -> None:
        """Runs the warm-up requests of the SavedModel. Raises RequestError if one fails."""
        for request in _warmup_requests(self.path / WARMUP):
            name = request.model_spec.signature_name or "serving_default"
            if name not in self.signatures:
                raise RequestError(
                    Code.FAILED_PRECONDITION, f'warm-up: Serving signature key "{name}" not found.'
                )
            inputs = arrays_of(request)
            check_inputs(self.signatures[name], inputs)
            self.run(name, inputs)

    def close(self) -> None:
        """Frees the model and gives its memory back to the system."""
        self._model.close()
        # In small pieces, as a model's is, freed memory stays with the process otherwise.
        with contextlib.suppress(OSError, AttributeError):  # the C library is not glibc
            ctypes.CDLL(None).malloc_trim(0)


def arrays_of(request: predict_pb2.PredictRequest) -> dict[str, np.ndarray]:
    """The inputs of a request by alias. Raises RequestError, INVALID_ARGUMENT, for a malformed one."""
    return {alias: _array_of(proto, alias) for alias, proto in request.inputs.items()}


def _array_of(proto: tensor_pb2.TensorProto, alias: str) -> np.ndarray:
    try:
        shape = [dim.size for dim in proto.tensor_shape.dim]
        is_known = not proto.tensor_shape.unknown_rank and min(shape, default=0) >= 0
        if is_known and math.prod(shape) <= MOST_VALUES:
            return tf.make_ndarray(proto)
    except Exception:  # NumPy and TensorFlow raise errors of any type for bytes that make no tensor
        pass
    raise invalid_argument(f"tensor parsing error: {alias}")


def fill(proto: tensor_pb2.TensorProto, array: np.ndarray, dtype: str) -> None:
    """Writes an array into a TensorProto: values in the repeated field of their type, as TensorFlow Serving answers."""
    if dtype not in _FIELDS:
        proto.CopyFrom(tf.make_tensor_proto(array, tf.as_dtype(dtype)))
        return
    field, proto.dtype = _FIELDS[dtype]
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    getattr(proto, field).extend(array.ravel().tolist())


def _warmup_requests(path: Path) -> Iterator[predict_pb2.PredictRequest]:
    if not path.is_file():
        return
    try:
        for index, record in enumerate(tf.compat.v1.io.tf_record_iterator(str(path))):
            if index == MOST_WARMUPS:
                raise invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MOST_WARMUPS}) in {path}"
                )
            log = prediction_log_pb2.PredictionLog.FromString(record)
            kind = log.WhichOneof("log_type")
            if kind != "predict_log":
                raise RequestError(
                    Code.UNIMPLEMENTED,
                    f"warm-up: {path} holds a {kind}; only predict_log is known here",
                )
            yield log.predict_log.request
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(
            Code.DATA_LOSS, f"{path}: cannot read the warm-up requests ({_first_line(error)})"
        ) from None


def _spec(info: "tf.compat.v1.TensorInfo") -> TensorSpec:
    shape = tf.TensorShape(info.tensor_shape)
    return TensorSpec(
        tf.as_dtype(info.dtype).name, None if shape.rank is None else tuple(shape.as_list())
    )


def _as_request_error(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, tf.errors.OpError):
        code = next(code for code in Code if code.value[0] == error.error_code)
    elif isinstance(error, OSError):  # TensorFlow's loader, where there is no SavedModel
        code = Code.NOT_FOUND
    else:
        code = Code.INTERNAL
    return RequestError(code, _first_line(error))


def _first_line(error: Exception) -> str:
    """The first line with a message; the graph's history that follows does not help the client."""
    lines = (line.strip() for line in str(error).splitlines())
    messages = (line for line in lines if line and not line.startswith(_HEADINGS))
    return next(messages, type(error).__name__)
