"""TensorFlow Serving's REST interface: requests, answers, and sending them with httpx."""

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any, Optional
from urllib.parse import quote

import httpx

from components.errors import UserError
from components.export.entity import Entity
from serving.client import answers, errors
from serving.client.exchange import Connection, Exchange, T
from serving.client.target import Servable

_BY_STATUS = {
    400: errors.BadRequest,
    401: errors.NotAllowed,
    403: errors.NotAllowed,
    404: errors.NotFound,
    413: errors.ResourceExhausted,
    429: errors.ResourceExhausted,
    502: errors.Unavailable,  # what a proxy says of a server that is gone
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}


def predict(servable: Servable, texts: Sequence[str]) -> Exchange[list[tuple[Entity, ...]]]:
    """Asks for the entities of each text."""
    rows = [{answers.INPUT: answers.readable(text).decode()} for text in texts]
    body = json.dumps(
        {"signature_name": answers.SIGNATURE, "instances": rows}, ensure_ascii=False
    ).encode()

    def read(answer: bytes) -> list[tuple[Entity, ...]]:
        found = json.loads(answer)["predictions"]
        if len(found) != len(texts):
            raise ValueError(f"found {len(found)} predictions; expected {len(texts)}")
        return [answers.entities(text, row) for text, row in zip(texts, found)]

    return Exchange(f"{_path(servable)}:predict", body, read)


def status(servable: Servable) -> Exchange[tuple[answers.VersionStatus, ...]]:
    """Asks how the model's versions are."""

    def read(answer: bytes) -> tuple[answers.VersionStatus, ...]:
        return tuple(
            answers.VersionStatus(
                int(one["version"]), one["state"], one.get("status", {}).get("error_message", "")
            )
            for one in json.loads(answer)["model_version_status"]
        )

    return Exchange(_path(servable), None, read)


def metadata(servable: Servable) -> Exchange[answers.Metadata]:
    """Asks which version answers, and what it takes and gives."""

    def read(answer: bytes) -> answers.Metadata:
        content = json.loads(answer)
        spec, signatures = (
            content["model_spec"],
            content["metadata"]["signature_def"]["signature_def"],
        )
        return answers.Metadata(
            spec["name"],
            int(spec["version"]),
            {
                name: answers.Signature(
                    _dtypes(signature.get("inputs", {})), _dtypes(signature.get("outputs", {}))
                )
                for name, signature in signatures.items()
            },
        )

    return Exchange(f"{_path(servable)}/metadata", None, read)


def _dtypes(tensors: dict[str, Any]) -> dict[str, str]:
    return {name: info["dtype"] for name, info in tensors.items()}


def _path(servable: Servable) -> str:
    path = f"/v1/models/{quote(servable.name, safe='')}"
    if servable.version is not None:
        return f"{path}/versions/{servable.version}"
    return path if servable.label is None else f"{path}/labels/{quote(servable.label, safe='')}"


class Sender:
    """Keeps connections to one server; may be used from several threads."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._http = httpx.Client(**_settings(connection))

    def send(self, exchange: Exchange[T], seconds: float) -> T:
        """The answer to a request. Raises ServerError."""
        answer = _Answer(self._connection, seconds)
        with (
            answer.translated(),
            self._http.stream(**_request(exchange), timeout=seconds) as response,
        ):
            for piece in response.iter_bytes():
                answer.add(piece)
        return answer.read(exchange, response)

    def close(self) -> None:
        self._http.close()


class AsyncSender:
    """Keeps connections to one server, for one event loop."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._http = httpx.AsyncClient(**_settings(connection))

    async def send(self, exchange: Exchange[T], seconds: float) -> T:
        """The answer to a request. Raises ServerError."""
        answer = _Answer(self._connection, seconds)
        with answer.translated():
            # httpx limits each wait, not their sum.
            response = await asyncio.wait_for(self._received(exchange, answer, seconds), seconds)
        return answer.read(exchange, response)

    async def _received(
        self, exchange: Exchange, answer: "_Answer", seconds: float
    ) -> httpx.Response:
        async with self._http.stream(**_request(exchange), timeout=seconds) as response:
            async for piece in response.aiter_bytes():
                answer.add(piece)
            return response

    async def close(self) -> None:
        await self._http.aclose()


class _Answer:
    """An answer as it comes in, held to its limits of time and size."""

    def __init__(self, connection: Connection, seconds: float):
        self._server, self._most = str(connection.target), connection.max_message_bytes
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._most:
            raise errors.ResourceExhausted(
                self._server, f"its answer is larger than {self._most:,} bytes"
            )
        if time.monotonic() > self._deadline:
            raise self._late()

    def read(self, exchange: Exchange[T], response: httpx.Response) -> T:
        if response.status_code != 200:
            raise self._error(response)
        try:
            return exchange.read(bytes(self._body))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise errors.bad_answer(self._server, error) from error

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turns httpx's errors into the client's."""
        try:
            yield
        except (httpx.TimeoutException, asyncio.TimeoutError):
            raise self._late() from None
        except httpx.ConnectError as error:
            raise errors.unreachable(self._server, _reason(error)) from error
        except httpx.NetworkError as error:
            raise errors.Unavailable(
                self._server, f"the connection broke ({_reason(error)})"
            ) from error
        except httpx.RemoteProtocolError as error:
            said = f"no answer in HTTP ({error}); expected TensorFlow Serving's REST port here, gRPC's is grpc://HOST:PORT"
            raise errors.Unavailable(self._server, said) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise errors.ServerError(self._server, f"cannot be asked ({error})") from error

    def _late(self) -> errors.DeadlineExceeded:
        return errors.late(self._server, self._seconds)

    def _error(self, response: httpx.Response) -> errors.ServerError:
        try:
            said = str(json.loads(bytes(self._body))["error"])
        except (ValueError, KeyError, TypeError):
            page = " ".join(self._body.decode("utf-8", "replace").split())
            said = f"HTTP {response.status_code} {response.reason_phrase}".strip() + (
                f": {page[:200]}" if page else ""
            )
        return _BY_STATUS.get(response.status_code, errors.ServerError)(self._server, said)


def _request(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": "GET" if exchange.body is None else "POST",
        "url": exchange.call,
        "content": exchange.body,
    }


def _settings(connection: Connection) -> dict[str, Any]:
    return {
        "base_url": str(connection.target),
        "headers": {**connection.headers, "content-type": "application/json"},
        # Without encryption there is nothing to verify, and reading the system's certificates takes its time.
        "verify": _authorities(connection.ca_file) if connection.target.encrypted else False,
        "trust_env": not connection.target.is_loopback,
        "limits": httpx.Limits(max_connections=None),
    }


def _authorities(path: Optional[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot read certificates ({error.strerror or error}); expected a PEM file"
        ) from None


def _reason(error: BaseException) -> str:
    """What the operating system said; several layers have wrapped it."""
    said = str(error) or type(error).__name__
    while error := error.__cause__ or error.__context__:  # type: ignore[assignment]
        if isinstance(error, OSError) and error.strerror:
            # asyncio puts words of its own there.
            said = (
                os.strerror(error.errno) if isinstance(error, ConnectionError) else error.strerror
            )
    return said
