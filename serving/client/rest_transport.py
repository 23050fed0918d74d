"""TensorFlow Serving's REST API: requests, responses, and sending them with httpx."""

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from . import errors, protocol
from .protocol import Connection, Exchange, ModelSpec, T

_ERRORS: dict[int, Callable[[str, str], errors.ServerError]] = {
    400: errors.BadRequest,
    401: errors.NotAllowed,
    403: errors.NotAllowed,
    404: errors.NotFound,
    413: errors.ResourceExhausted,
    429: errors.resource_exhausted,
    502: errors.Unavailable,  # from a proxy whose server is gone
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}


def predict(model: ModelSpec, texts: Sequence[str]) -> Exchange[list[protocol.Entities]]:
    """The request for the entities of each text."""
    rows = [{protocol.INPUT: protocol.encode(text).decode()} for text in texts]
    body = json.dumps(
        {"signature_name": protocol.SIGNATURE, "instances": rows}, ensure_ascii=False
    ).encode()

    def parse(response: bytes) -> list[protocol.Entities]:
        predictions = json.loads(response)["predictions"]
        if len(predictions) != len(texts):
            raise ValueError(f"found {len(predictions)} predictions; expected {len(texts)}")
        return [protocol.entities_of(text, row) for text, row in zip(texts, predictions)]

    return Exchange(f"{_path(model)}:predict", body, parse)


def status(model: ModelSpec) -> Exchange[tuple[protocol.VersionStatus, ...]]:
    """The request for the status of the model's versions."""

    def parse(response: bytes) -> tuple[protocol.VersionStatus, ...]:
        return tuple(
            protocol.VersionStatus(
                int(item["version"]), item["state"], item.get("status", {}).get("error_message", "")
            )
            for item in json.loads(response)["model_version_status"]
        )

    return Exchange(_path(model), None, parse)


def metadata(model: ModelSpec) -> Exchange[protocol.Metadata]:
    """The request for the version that answers and its signatures."""

    def parse(response: bytes) -> protocol.Metadata:
        content = json.loads(response)
        spec = content["model_spec"]
        signatures = content["metadata"]["signature_def"]["signature_def"]
        return protocol.Metadata(
            spec["name"],
            int(spec["version"]),
            {
                name: protocol.Signature(
                    _dtypes(signature.get("inputs", {})), _dtypes(signature.get("outputs", {}))
                )
                for name, signature in signatures.items()
            },
        )

    return Exchange(f"{_path(model)}/metadata", None, parse)


def _dtypes(tensors: dict[str, Any]) -> dict[str, str]:
    return {name: info["dtype"] for name, info in tensors.items()}


def _path(model: ModelSpec) -> str:
    path = f"/v1/models/{quote(model.name, safe='')}"
    if model.version is not None:
        return f"{path}/versions/{model.version}"
    return path if model.label is None else f"{path}/labels/{quote(model.label, safe='')}"


class BlockingSender:
    """Keeps connections to one server. Threads may share it."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._http = httpx.Client(**_settings(connection))

    def send(self, exchange: Exchange[T], seconds: float) -> T:
        """Returns the result of a request; raises ServerError."""
        body = _ResponseBody(self._connection, seconds)
        with (
            body.translate_errors(),
            self._http.stream(**_request(exchange), timeout=seconds) as response,
        ):
            for chunk in response.iter_bytes():
                body.add(chunk)
        return body.parse(exchange, response)

    def close(self) -> None:
        self._http.close()


class AsyncioSender:
    """Keeps connections to one server, for one event loop."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._http = httpx.AsyncClient(**_settings(connection))

    async def send(self, exchange: Exchange[T], seconds: float) -> T:
        """Returns the result of a request; raises ServerError."""
        body = _ResponseBody(self._connection, seconds)
        with body.translate_errors():
            # httpx limits each wait, not their sum.
            response = await asyncio.wait_for(self._receive(exchange, body, seconds), seconds)
        return body.parse(exchange, response)

    async def _receive(
        self, exchange: Exchange, body: "_ResponseBody", seconds: float
    ) -> httpx.Response:
        async with self._http.stream(**_request(exchange), timeout=seconds) as response:
            async for chunk in response.aiter_bytes():
                body.add(chunk)
            return response

    async def close(self) -> None:
        await self._http.aclose()


class _ResponseBody:
    """The body of a response as it arrives, within its limits of time and size."""

    def __init__(self, connection: Connection, seconds: float):
        self._server, self._max_bytes = str(connection.address), connection.max_message_bytes
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > self._max_bytes:
            raise errors.ResourceExhausted(
                self._server, f"its answer is larger than {self._max_bytes:,} bytes"
            )
        if time.monotonic() > self._deadline:
            raise errors.timed_out(self._server, self._seconds)

    def parse(self, exchange: Exchange[T], response: httpx.Response) -> T:
        """The result of a response that has arrived whole."""
        if response.status_code != 200:
            raise self._error(response)
        return exchange.parse_from(self._server, bytes(self._body))

    @contextlib.contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raises httpx's errors as the client's."""
        try:
            yield
        except (httpx.TimeoutException, asyncio.TimeoutError):
            raise errors.timed_out(self._server, self._seconds) from None
        except httpx.ConnectError as error:
            raise errors.unreachable(self._server, _reason(error)) from error
        except httpx.NetworkError as error:
            raise errors.Unavailable(
                self._server, f"the connection broke ({_reason(error)})"
            ) from error
        except httpx.RemoteProtocolError as error:
            raise errors.Unavailable(
                self._server,
                f"no answer in HTTP ({error}); expected TensorFlow Serving's REST port here,"
                " gRPC's is grpc://HOST:PORT",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise errors.ServerError(self._server, f"cannot be asked ({error})") from error

    def _error(self, response: httpx.Response) -> errors.ServerError:
        try:
            message = str(json.loads(bytes(self._body))["error"])
        except (ValueError, KeyError, TypeError):
            page = " ".join(self._body.decode("utf-8", "replace").split())
            message = f"HTTP {response.status_code} {response.reason_phrase}".strip()
            message += f": {page[:200]}" if page else ""
        return _ERRORS.get(response.status_code, errors.ServerError)(self._server, message)


def _request(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": "GET" if exchange.body is None else "POST",
        "url": exchange.call,
        "content": exchange.body,
    }


def _settings(connection: Connection) -> dict[str, Any]:
    return {
        "base_url": str(connection.address),
        "headers": {**connection.headers, "content-type": "application/json"},
        # Without encryption there is no certificate to verify, and reading the system's is slow.
        "verify": _ssl_context(connection.ca_file) if connection.address.is_encrypted else False,
        "trust_env": not connection.address.is_loopback,
        "limits": httpx.Limits(max_connections=None),
    }


def _ssl_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise errors.SettingsError(
            f"{ca_file}: cannot read certificates ({error.strerror or error}); expected a PEM file"
        ) from None


def _reason(error: BaseException) -> str:
    """The operating system's message, from below the exceptions that wrap it."""
    message = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause := cause.__cause__ or cause.__context__:
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio replaces the message of a refused connection.
            message = cause.strerror
            if isinstance(cause, ConnectionError) and cause.errno is not None:
                message = os.strerror(cause.errno)
    return message
