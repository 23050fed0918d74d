"""TensorFlow Serving's REST API with its metrics, an OpenAPI description, and the demo page."""

import asyncio
import contextlib
import inspect
import json
import logging
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from components.export.output_formats import STYLESHEET
from serving.server import metrics, rest_json
from serving.server.predicting import Predictor, Spec
from serving.server.status import RequestError, invalid_argument, message_of

log = logging.getLogger(__name__)
PAGE = Path(__file__).resolve().parent.parent / "page"
DESCRIPTION = Path(__file__).resolve().parent / "openapi.json"

_MODEL = r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_METHOD = re.compile(_MODEL + ":(?P<method>predict|classify|regress)", re.IGNORECASE)
_STATUS = re.compile(_MODEL + "(?P<metadata>/metadata)?", re.IGNORECASE)
# Protobuf 5 renamed the option that prints fields without a value.
_OPTIONS = inspect.signature(json_format.MessageToDict).parameters
_PRINT_DEFAULTS = next(name for name in _OPTIONS if name.startswith(("always_", "including_")))
_BIG = 2**17  # bytes of a body whose parsing would hold up other requests
_DRAIN_SECONDS = 2.0
_HEADERS = {"X-Content-Type-Options": "nosniff"}
# The page may ask other servers.
_PAGE_HEADERS = _HEADERS | {
    "Content-Security-Policy": "default-src 'self'; connect-src *; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def make_app(
    predictor: Predictor,
    most_bytes: int,
    cors: bool = False,
    model: str = "ner",
    threads: int | None = None,
) -> Starlette:
    """The ASGI application.

    Args:
      predictor: answers requests.
      most_bytes: the largest request body, unpacked.
      cors: whether pages of other addresses may ask.
      model: the model that the page asks.
      threads: the most predict requests that are answered at the same time; the others wait.
    """

    async def show_metrics(_: Request) -> Response:
        return Response(predictor.metrics.text(), media_type=metrics.CONTENT_TYPE)

    async def show_description(_: Request) -> Response:
        return FileResponse(DESCRIPTION, media_type="application/json", headers=_HEADERS)

    async def show_page(request: Request) -> Response:
        name = request.path_params["path"]
        if not name and model != "ner" and "model" not in request.query_params:
            return RedirectResponse(f"/?{urlencode({'model': model})}")
        for path in (STYLESHEET, *PAGE.iterdir()):
            if path.name == (name or "index.html"):
                return FileResponse(path, headers=_PAGE_HEADERS)
        return _not_found()

    async def refuse(_: Request, error: Exception) -> Response:
        return _not_found()

    api = _Api(predictor, most_bytes, threads)
    allow_all = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["POST", "GET"],
        allow_headers=["Content-Type"],
    )
    return Starlette(
        routes=[
            Route("/v1", api),
            Route("/v1/{path:path}", api),
            Route(metrics.PATH, show_metrics),
            Route("/openapi.json", show_description),
            Route("/{path:path}", show_page),
        ],
        exception_handlers={404: refuse, 405: refuse},
        middleware=[allow_all] if cors else [],
    )


class _Api:
    """The ASGI application of all paths below `/v1`."""

    def __init__(self, predictor: Predictor, most_bytes: int, threads: int | None):
        self._predictor, self._most_bytes = predictor, most_bytes
        self._threads = asyncio.Semaphore(threads) if threads else contextlib.nullcontext()

    async def __call__(self, scope, receive, send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except RequestError as error:
            response = _error(error.http_status, error.message)
        except HTTPException as error:
            response = _error(error.status_code, error.detail)
        except ClientDisconnect:
            return
        except Exception as error:  # a fault of this program
            log.error("%s failed: %r", scope["path"], error)
            response = _error(500, message_of(error))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        # The raw path: percent-encoded characters may be part of a name.
        path = request.scope.get("raw_path", request.scope["path"].encode()).decode("latin-1")
        if request.scope["query_string"]:
            path += "?" + request.scope["query_string"].decode("latin-1")
        if request.method == "OPTIONS":
            has_origin = re.search("https?://", request.headers.get("origin", ""))
            return Response(status_code=200 if has_origin else 400)
        if request.method == "POST" and (match := _METHOD.fullmatch(path)):
            return await self._predict(request, _spec(match), match["method"].lower())
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            return self._describe(_spec(match), bool(match["metadata"]))
        if request.method == "GET" and re.fullmatch(r"/v1/models", path, re.IGNORECASE):
            raise invalid_argument("Missing model name in request.")
        raise invalid_argument(f"Malformed request: {request.method} {unquote(path)}")

    async def _predict(self, request: Request, spec: Spec, method: str) -> Response:
        body = await _read_body(request, self._most_bytes, self._predictor.seconds)
        fields = await _in_thread_if_big(len(body), rest_json.parse, body)
        spec = replace(spec, signature=fields.get("signature_name", ""))
        if method != "predict":
            self._predictor.refuse_other_method(spec, method)
        async with self._threads:
            answer = await self._predictor.predict(
                spec,
                lambda signature: _in_thread_if_big(
                    len(body), rest_json.arrays_of, fields, signature
                ),
                "REST",
            )
            size = sum(array.size for array in answer.outputs.values()) * 8
            return _json(
                await _in_thread_if_big(
                    size, rest_json.answer, answer.outputs, "instances" in fields
                )
            )

    def _describe(self, spec: Spec, metadata: bool) -> Response:
        """The status of a model's versions, or the metadata of one version."""
        began = time.monotonic()
        if metadata:
            version, signatures = self._predictor.signatures(spec)
            model_spec = {"name": spec.model, "signature_name": "", "version": str(version)}
            content = {
                "model_spec": model_spec,
                "metadata": {"signature_def": _as_dict(signatures)},
            }
        else:
            content = _as_dict(self._predictor.status(spec.model, spec.version))
        self._predictor.metrics.request(spec.model, "OK", "", "REST", time.monotonic() - began)
        return _json(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))


async def _read_body(request: Request, most: int, seconds: float) -> bytes:
    """Reads a request's body, and unpacks gzip.

    Args:
      request: the request.
      most: the largest body in bytes, unpacked.
      seconds: the time limit.

    Raises:
      HTTPException: it is too large, too slow, or in another encoding.
      RequestError: it is not valid gzip.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise HTTPException(415, f"Content-Encoding {encoding}: expected gzip or none")
    length = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"Request body too large: expected at most {most} bytes")
    if length.isdigit() and int(length) > most:
        # A client that still sends does not read the answer: read some of the rest first.
        with contextlib.suppress(asyncio.TimeoutError, ClientDisconnect):
            await asyncio.wait_for(_drain(request, 4 * most), _DRAIN_SECONDS)
        raise too_large
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()

    async def read() -> None:
        async for piece in request.stream():
            body.extend(unpack.decompress(piece, most - len(body) + 1) if unpack else piece)
            if len(body) > most:
                raise too_large

    try:
        await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        raise HTTPException(408, f"Request body did not come within {seconds:g} s") from None
    except zlib.error as error:
        raise invalid_argument(f"Cannot unpack gzip: {error}") from None
    if unpack and body and not unpack.eof:
        raise invalid_argument("Cannot unpack gzip: the body ends too soon")
    return bytes(body)


async def _drain(request: Request, most: int) -> None:
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            return


async def _in_thread_if_big(size: int, function: Callable, *arguments: Any) -> Any:
    """Calls a function, in a thread if it works on many bytes."""
    if size < _BIG:
        return function(*arguments)
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _spec(match: re.Match) -> Spec:
    version = None
    if match["version"]:
        version = int(match["version"]) if len(match["version"]) < 20 else 2**63
        if version >= 2**63:
            raise HTTPException(400, "")
    label = unquote(match["label"]) if match["label"] else None
    return Spec(unquote(match["model"]), version, label)


def _as_dict(message: Message) -> dict[str, Any]:
    """A message as TensorFlow Serving writes it in JSON, with fields that have no value."""
    options = {_PRINT_DEFAULTS: True, "preserving_proto_field_name": True}
    return json_format.MessageToDict(message, **options)


def _not_found() -> Response:
    return Response("<html><body>Not found</body></html>", 404, _HEADERS, media_type="text/html")


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json", headers=_HEADERS)


def _error(status: int, message: str) -> Response:
    if not message:
        return Response(status_code=status)
    body = json.dumps({"error": message}, ensure_ascii=False)
    return _json(body.encode("utf-8", "replace"), status)
