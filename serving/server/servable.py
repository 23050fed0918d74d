"""A SavedModel that the server has loaded: its signatures, its warm-up, and its errors."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.export import saved_model
from serving.server import memory, tensors
from serving.server.signature import Signature, TensorSpec
from serving.server.status import Code, RequestError, code_of, invalid_argument

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_WARMUPS = 1000
# Lines that TensorFlow puts above the error message itself.
_HEADINGS = ("Graph execution error:", "Detected at node", "<stack traces unavailable>", "File ")


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
            inputs = {
                alias: tensors.array_of(proto, alias) for alias, proto in request.inputs.items()
            }
            tensors.check_inputs(self.signatures[name], inputs)
            self.run(name, inputs)

    def close(self) -> None:
        """Frees the model and gives its memory back to the system."""
        self._model.close()
        memory.trim()


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
        code = code_of(error.error_code)
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
