"""TensorFlow Serving's gRPC API: requests, responses, and sending them with grpcio."""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from . import errors, protocol
from . import tf_serving_subset_pb2 as messages
from .protocol import Connection, Exchange, ModelSpec, T

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

_STATES = {10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_STRING = 7
# By number of a TensorFlow DataType: its name, the field of a tensor that holds its values, and the
# struct format of its values in `tensor_content`.
_DTYPES = {
    0: ("DT_INVALID", "", ""),
    1: ("DT_FLOAT", "float_val", "f"),
    2: ("DT_DOUBLE", "double_val", "d"),
    3: ("DT_INT32", "int_val", "i"),
    _STRING: ("DT_STRING", "string_val", ""),
    9: ("DT_INT64", "int64_val", "q"),
}

# What gRPC writes around the operating system's message where it cannot connect.
_CONNECT_PREFIX = re.compile(
    r"^.*last error: (?:[A-Z_]+: )?(?:\w+:\S+: )?|^errors resolving .* error:|\]$", re.DOTALL
)

_ERRORS: dict[grpc.StatusCode, Callable[[str, str], errors.ServerError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.BadRequest,
    grpc.StatusCode.FAILED_PRECONDITION: errors.BadRequest,
    grpc.StatusCode.OUT_OF_RANGE: errors.BadRequest,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.resource_exhausted,
    grpc.StatusCode.UNAUTHENTICATED: errors.NotAllowed,
    grpc.StatusCode.PERMISSION_DENIED: errors.NotAllowed,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}


def predict(model: ModelSpec, texts: Sequence[str]) -> Exchange[list[protocol.Entities]]:
    """The request for the entities of each text."""
    request = messages.PredictRequest(output_filter=protocol.OUTPUTS)
    _set_model(request.model_spec, model)
    request.model_spec.signature_name = protocol.SIGNATURE
    tensor = request.inputs[protocol.INPUT]
    tensor.dtype = _STRING
    tensor.tensor_shape.dim.add(size=len(texts))
    tensor.string_val.extend(map(protocol.encode, texts))

    def parse(response: bytes) -> list[protocol.Entities]:
        outputs = messages.PredictResponse.FromString(response).outputs
        columns = {
            name: _rows(outputs[name], len(texts)) for name in protocol.OUTPUTS if name in outputs
        }
        return [
            protocol.entities_of(text, {name: rows[index] for name, rows in columns.items()})
            for index, text in enumerate(texts)
        ]

    return Exchange(_PREDICT, request.SerializeToString(), parse)


def status(model: ModelSpec) -> Exchange[tuple[protocol.VersionStatus, ...]]:
    """The request for the status of the model's versions."""
    request = messages.StatusRequest()
    _set_model(request.model_spec, model)

    def parse(response: bytes) -> tuple[protocol.VersionStatus, ...]:
        return tuple(
            protocol.VersionStatus(
                item.version, _STATES.get(item.state, "UNKNOWN"), item.status.error_message
            )
            for item in messages.StatusResponse.FromString(response).model_version_status
        )

    return Exchange(_STATUS, request.SerializeToString(), parse)


def metadata(model: ModelSpec) -> Exchange[protocol.Metadata]:
    """The request for the version that answers and its signatures."""
    request = messages.MetadataRequest(metadata_field=["signature_def"])
    _set_model(request.model_spec, model)

    def parse(response: bytes) -> protocol.Metadata:
        message = messages.MetadataResponse.FromString(response)
        packed = message.metadata["signature_def"].value
        return protocol.Metadata(
            message.model_spec.name,
            message.model_spec.version.value,
            {
                name: protocol.Signature(_dtypes(signature.inputs), _dtypes(signature.outputs))
                for name, signature in messages.SignatureMap.FromString(
                    packed
                ).signature_def.items()
            },
        )

    return Exchange(_METADATA, request.SerializeToString(), parse)


def _dtypes(tensors: Mapping[str, messages.TensorInfo]) -> dict[str, str]:
    return {
        name: _DTYPES[info.dtype][0] if info.dtype in _DTYPES else f"dtype {info.dtype}"
        for name, info in tensors.items()
    }


def _set_model(spec: messages.ModelSpec, model: ModelSpec) -> None:
    spec.name = model.name
    if model.version is not None:
        spec.version.value = model.version
    elif model.label is not None:
        spec.version_label = model.label


def _rows(tensor: messages.Tensor, length: int) -> Sequence[Any]:
    """A tensor of shape `[length]` as scalars, or one of `[length, width]` as sequences."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if not 1 <= len(shape) <= 2 or shape[0] != length:
        raise ValueError(
            f"found a tensor of shape {shape}; expected [{length}] or [{length}, longest]"
        )
    if len(shape) == 1:
        return _values(tensor, length)
    width = shape[1]
    flat = _values(tensor, length * width)
    return [flat[index * width : (index + 1) * width] for index in range(length)]


def _values(tensor: messages.Tensor, size: int) -> Sequence[Any]:
    """The `size` values of a tensor, from its packed bytes or the field of its dtype.

    A field may hold fewer: its last value stands for all that are missing.
    """
    _, field, code = _DTYPES[tensor.dtype]
    if tensor.tensor_content and code:
        return struct.unpack(f"<{size}{code}", tensor.tensor_content)
    values = getattr(tensor, field)
    if len(values) > size:
        raise ValueError(f"found {len(values)} values; expected {size}")
    if len(values) == size:
        return values
    last = values[-1] if values else (0 if code else b"")
    return [*values, *[last] * (size - len(values))]


class BlockingSender:
    """Keeps a channel to one server. Threads may share it."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._channel = _open_channel(grpc, connection)

    def send(self, exchange: Exchange[T], seconds: float) -> T:
        """Returns the result of a request; raises ServerError."""
        try:
            response = _call(self._channel, self._connection, exchange, seconds)
        except grpc.RpcError as error:
            raise _error(self._connection, error, seconds) from None
        return exchange.parse_from(str(self._connection.address), response)

    def close(self) -> None:
        self._channel.close()


class AsyncioSender:
    """Keeps a channel to one server, for the event loop that runs when it is made."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._channel = _open_channel(grpc.aio, connection)

    async def send(self, exchange: Exchange[T], seconds: float) -> T:
        """Returns the result of a request; raises ServerError."""
        try:
            response = await _call(self._channel, self._connection, exchange, seconds)
        except grpc.RpcError as error:
            raise _error(self._connection, error, seconds) from None
        return exchange.parse_from(str(self._connection.address), response)

    async def close(self) -> None:
        await self._channel.close()


def _open_channel(library: Any, connection: Connection) -> Any:
    """A channel of `library`: grpc or grpc.aio."""
    address = connection.address
    options = [
        ("grpc.max_receive_message_length", connection.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # So that a retry finds a server that has just come back.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5000),
        ("grpc.enable_http_proxy", int(not address.is_loopback)),
    ]
    if not address.is_encrypted:
        return library.insecure_channel(address.authority, options)
    credentials = grpc.ssl_channel_credentials(_read_certificates(connection.ca_file))
    return library.secure_channel(address.authority, credentials, options)


def _call(channel: Any, connection: Connection, exchange: Exchange, seconds: float) -> Any:
    """Sends a request; returns the response, or an awaitable of it for a channel of grpc.aio."""
    headers = [(name.lower(), value) for name, value in connection.headers.items()]
    call = channel.unary_unary(exchange.call)
    return call(exchange.body, timeout=seconds, metadata=headers)


def _read_certificates(ca_file: str | None) -> bytes | None:
    if ca_file is None:
        return None
    try:
        with open(ca_file, "rb") as file:
            content = file.read()
    except OSError as error:
        raise errors.SettingsError(
            f"{ca_file}: cannot read certificates ({error.strerror}); expected a PEM file"
        ) from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise errors.SettingsError(
            f"{ca_file}: cannot read certificates (found none); expected a PEM file"
        )
    return content


def _error(connection: Connection, error: Any, seconds: float) -> errors.ServerError:
    """The client's error for a failed call.

    gRPC reports its own failures, such as a refused connection, with the codes that servers use.
    """
    server, code, details = str(connection.address), error.code(), error.details() or ""
    message = _CONNECT_PREFIX.sub("", details)
    if code is grpc.StatusCode.UNAVAILABLE and message != details:
        return errors.unreachable(server, message)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.timed_out(server, seconds)
    return _ERRORS.get(code, errors.ServerError)(server, message or code.name)
