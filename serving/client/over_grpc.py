"""TensorFlow Serving's gRPC interface: requests, answers, and sending them with grpcio."""

import re
import struct
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from components.errors import UserError
from components.export.entity import Entity
from serving.client import answers, errors, messages
from serving.client.exchange import Connection, Exchange, T
from serving.client.target import Servable

_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

_STATES = {10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_STRING = 7
# By number in DataType: its name, the field of a tensor that holds such values, and how they are packed as bytes.
_DTYPES = {
    1: ("DT_FLOAT", "float_val", "f"),
    2: ("DT_DOUBLE", "double_val", "d"),
    3: ("DT_INT32", "int_val", "i"),
    _STRING: ("DT_STRING", "string_val", ""),
    9: ("DT_INT64", "int64_val", "q"),
}

# What gRPC puts before what the operating system said, where it finds nobody to talk to.
_OF_CHANNEL = re.compile(
    r"^.*last error: (?:[A-Z_]+: )?(?:\w+:\S+: )?|^errors resolving .* error:|\]$", re.DOTALL
)

_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.BadRequest,
    grpc.StatusCode.FAILED_PRECONDITION: errors.BadRequest,
    grpc.StatusCode.OUT_OF_RANGE: errors.BadRequest,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    grpc.StatusCode.UNAUTHENTICATED: errors.NotAllowed,
    grpc.StatusCode.PERMISSION_DENIED: errors.NotAllowed,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}


def predict(servable: Servable, texts: Sequence[str]) -> Exchange[list[tuple[Entity, ...]]]:
    """Asks for the entities of each text."""
    request = messages.PredictRequest(output_filter=answers.OUTPUTS)
    _name(request.model_spec, servable)
    request.model_spec.signature_name = answers.SIGNATURE
    tensor = request.inputs[answers.INPUT]
    tensor.dtype = _STRING
    tensor.tensor_shape.dim.add(size=len(texts))
    tensor.string_val.extend(map(answers.readable, texts))

    def read(answer: bytes) -> list[tuple[Entity, ...]]:
        outputs = messages.PredictResponse.FromString(answer).outputs
        columns = {
            name: _rows(outputs[name], len(texts)) for name in answers.OUTPUTS if name in outputs
        }
        return [
            answers.entities(text, {name: rows[number] for name, rows in columns.items()})
            for number, text in enumerate(texts)
        ]

    return Exchange(_PREDICT, request.SerializeToString(), read)


def status(servable: Servable) -> Exchange[tuple[answers.VersionStatus, ...]]:
    """Asks how the model's versions are."""
    request = messages.StatusRequest()
    _name(request.model_spec, servable)

    def read(answer: bytes) -> tuple[answers.VersionStatus, ...]:
        return tuple(
            answers.VersionStatus(
                one.version, _STATES.get(one.state, "UNKNOWN"), one.status.error_message
            )
            for one in messages.StatusResponse.FromString(answer).model_version_status
        )

    return Exchange(_STATUS, request.SerializeToString(), read)


def metadata(servable: Servable) -> Exchange[answers.Metadata]:
    """Asks which version answers, and what it takes and gives."""
    request = messages.MetadataRequest(metadata_field=["signature_def"])
    _name(request.model_spec, servable)

    def read(answer: bytes) -> answers.Metadata:
        response = messages.MetadataResponse.FromString(answer)
        held = messages.Signatures.FromString(response.metadata["signature_def"].value)
        return answers.Metadata(
            response.model_spec.name,
            response.model_spec.version.value,
            {
                name: answers.Signature(_dtypes(signature.inputs), _dtypes(signature.outputs))
                for name, signature in held.signature_def.items()
            },
        )

    return Exchange(_METADATA, request.SerializeToString(), read)


def _dtypes(tensors) -> dict[str, str]:
    return {
        name: _DTYPES.get(info.dtype, (f"dtype {info.dtype}",))[0] for name, info in tensors.items()
    }


def _name(spec, servable: Servable) -> None:
    spec.name = servable.name
    if servable.version is not None:
        spec.version.value = servable.version
    elif servable.label is not None:
        spec.version_label = servable.label


def _rows(tensor, number: int) -> Sequence[Any]:
    """A tensor's values along its first dimension, which has `number` of them: scalars, or lists."""
    sizes = [one.size for one in tensor.tensor_shape.dim]
    if not 1 <= len(sizes) <= 2 or sizes[0] != number:
        raise ValueError(
            f"found a tensor of shape {sizes}; expected [{number}] or [{number}, longest]"
        )
    if len(sizes) == 1:
        return _values(tensor, number)
    width = sizes[1]
    flat = _values(tensor, number * width)
    return (
        [flat[start : start + width] for start in range(0, number * width, width)]
        if width
        else [()] * number
    )


def _values(tensor, number: int) -> Sequence[Any]:
    """The `number` values of a tensor, which has them packed, or as a field where the last one stands for all after it."""
    _, field, code = _DTYPES[tensor.dtype]
    if tensor.tensor_content and code:
        return struct.unpack(f"<{number}{code}", tensor.tensor_content)
    values = getattr(tensor, field)
    if len(values) > number:
        raise ValueError(f"found {len(values)} values; expected {number}")
    if len(values) == number:
        return values
    last = values[-1] if values else (0 if code else b"")
    return [*values, *[last] * (number - len(values))]


class Sender:
    """Keeps a channel to one server; may be used from several threads."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._channel = _channel(grpc, connection)
        self._metadata = _headers(connection)

    def send(self, exchange: Exchange[T], seconds: float) -> T:
        """The answer to a request. Raises ServerError."""
        try:
            call = self._channel.unary_unary(exchange.call)
            answer = call(exchange.body, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _error(self._connection, error, seconds) from None
        return _read(self._connection, exchange, answer)

    def close(self) -> None:
        self._channel.close()


class AsyncSender:
    """Keeps a channel to one server, for the event loop that runs when it is made."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._channel = _channel(grpc.aio, connection)
        self._metadata = _headers(connection)

    async def send(self, exchange: Exchange[T], seconds: float) -> T:
        """The answer to a request. Raises ServerError."""
        try:
            call = self._channel.unary_unary(exchange.call)
            answer = await call(exchange.body, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _error(self._connection, error, seconds) from None
        return _read(self._connection, exchange, answer)

    async def close(self) -> None:
        await self._channel.close()


def _channel(kind, connection: Connection):
    target = connection.target
    options = [
        ("grpc.max_receive_message_length", connection.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        (
            "grpc.initial_reconnect_backoff_ms",
            100,
        ),  # so that a retry finds a server that has just come back
        ("grpc.max_reconnect_backoff_ms", 5000),
        ("grpc.enable_http_proxy", int(not target.is_loopback)),
    ]
    if not target.encrypted:
        return kind.insecure_channel(target.authority, options)
    return kind.secure_channel(
        target.authority, grpc.ssl_channel_credentials(_authorities(connection)), options
    )


def _authorities(connection: Connection) -> bytes | None:
    if connection.ca_file is None:
        return None
    try:
        with open(connection.ca_file, "rb") as file:
            content = file.read()
    except OSError as error:
        raise UserError(
            f"{connection.ca_file}: cannot read certificates ({error.strerror}); expected a PEM file"
        ) from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise UserError(
            f"{connection.ca_file}: cannot read certificates (there is none); expected a PEM file"
        )
    return content


def _headers(connection: Connection) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in connection.headers.items()]


def _read(connection: Connection, exchange: Exchange[T], answer: bytes) -> T:
    try:
        return exchange.read(answer)
    except (
        DecodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        struct.error,
        OverflowError,
    ) as error:
        raise errors.bad_answer(str(connection.target), error) from error


def _error(connection: Connection, error, seconds: float) -> errors.ServerError:
    """What a failed call means. gRPC gives its own troubles, as a connection refused, the codes that servers use."""
    server, code = str(connection.target), error.code()
    said = _OF_CHANNEL.sub("", error.details() or "")
    if code is grpc.StatusCode.UNAVAILABLE and said != error.details():
        return errors.unreachable(server, said)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.late(server, seconds)
    return _BY_CODE.get(code, errors.ServerError)(server, said or code.name)
