"""TensorFlow Serving's REST API with its metrics, an OpenAPI description, and the demo page."""

import asyncio
import contextlib
import json
import logging
import re
import time
import zlib
from pathlib import Path
from urllib.parse import unquote, urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from components.export.output_formats import STYLESHEET
from serving.server import rest_json
from serving.server.grpc_api import refuse_other_method
from serving.server.metrics import CONTENT_TYPE, PATH
from serving.server.predicting import Predictor, Spec
from serving.server.signature import Signature, TensorSpec
from serving.server.status import Code, RequestError

log = logging.getLogger(__name__)
PAGE = Path(__file__).resolve().parent.parent / "page"
DESCRIPTION = Path(__file__).resolve().parent / "openapi.json"

_MODEL = r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(_MODEL + ":(?P<verb>predict|classify|regress)", re.IGNORECASE)
_LOOK = re.compile(_MODEL + "(?P<metadata>/metadata)?", re.IGNORECASE)
_BIG = 2**17  # bytes of a body whose parsing would hold up other requests
_DRAINING = 2.0  # seconds
_HEADERS = {"X-Content-Type-Options": "nosniff"}
# The page may ask other servers.
_PAGE_HEADERS = _HEADERS | {
    "Content-Security-Policy": "default-src 'self'; connect-src *; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _HttpError(Exception):
    """An error of HTTP itself, which has no gRPC code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


def make_app(
    predictor: Predictor,
    most_bytes: int,
    cors: bool = False,
    page: Path = PAGE,
    model: str = "ner",
    threads: int | None = None,
) -> Starlette:
    """The ASGI application.

    Args:
      predictor: answers requests.
      most_bytes: the largest request body, unpacked.
      cors: whether pages of other addresses may ask.
      page: the folder of the page.
      model: the model that the page asks.
      threads: the most predict requests that are answered at the same time; the others wait.
    """

    async def metrics(_: Request) -> Response:
        return Response(predictor.metrics.text(), media_type=CONTENT_TYPE)

    async def description(_: Request) -> Response:
        return FileResponse(DESCRIPTION, media_type="application/json", headers=_HEADERS)

    async def resource(request: Request) -> Response:
        if (
            not request.path_params["path"]
            and model != "ner"
            and "model" not in request.query_params
        ):
            return RedirectResponse(f"/?{urlencode({'model': model})}")
        name = request.path_params["path"] or "index.html"
        if name == STYLESHEET.name:
            return FileResponse(STYLESHEET, headers=_PAGE_HEADERS)
        path = (page / name).resolve()
        if (
            not path.is_relative_to(page.resolve())
            or not path.is_file()
            or path.suffix in (".py", ".pyc")
        ):
            return _not_found()
        return FileResponse(path, headers=_PAGE_HEADERS)

    async def refused(request: Request, error: Exception) -> Response:
        return _not_found()

    api = _Api(predictor, most_bytes, threads)
    return Starlette(
        routes=[
            Route("/v1", api),
            Route("/v1/{path:path}", api),
            Route(PATH, metrics),
            Route("/openapi.json", description),
            Route("/{path:path}", resource),
        ],
        exception_handlers={404: refused, 405: refused},
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["POST", "GET"],
                allow_headers=["Content-Type"],
            )
        ]
        if cors
        else [],
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
            response = _error(error.code.http, error.message)
        except _HttpError as error:
            response = _error(error.status, error.message)
        except ClientDisconnect:
            return
        except Exception as error:  # a fault of this program
            log.error("%s failed: %r", scope["path"], error)
            response = _error(500, " ".join(str(error).split()) or type(error).__name__)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        # The raw path: percent-encoded characters may be part of a name.
        path = request.scope.get("raw_path", request.scope["path"].encode()).decode("latin-1")
        if request.scope["query_string"]:
            path += "?" + request.scope["query_string"].decode("latin-1")
        if request.method == "OPTIONS":
            has_origin = re.search("https?://", request.headers.get("origin", ""))
            return Response(status_code=200 if has_origin else 400)
        if request.method == "POST" and (match := _ASK.fullmatch(path)):
            return await self._ask(request, _spec(match), match["verb"].lower())
        if request.method == "GET" and (match := _LOOK.fullmatch(path)):
            return self._look(_spec(match), bool(match["metadata"]))
        if request.method == "GET" and re.fullmatch(r"/v1/models", path, re.IGNORECASE):
            raise RequestError(Code.INVALID_ARGUMENT, "Missing model name in request.")
        raise RequestError(
            Code.INVALID_ARGUMENT, f"Malformed request: {request.method} {unquote(path)}"
        )

    async def _ask(self, request: Request, spec: Spec, verb: str) -> Response:
        body = await _body(request, self._most_bytes, self._predictor.seconds)
        parsed = await _in_thread_if_big(len(body), rest_json.parse, body)
        if verb != "predict":
            refuse_other_method(
                self._predictor.models, _with_signature(spec, parsed.signature), verb
            )
        async with self._threads:
            return await self._predict(spec, body, parsed)

    async def _predict(self, spec: Spec, body: bytes, parsed: rest_json.Request) -> Response:
        answer = await self._predictor.predict(
            _with_signature(spec, parsed.signature),
            lambda signature: _in_thread_if_big(len(body), rest_json.arrays_of, parsed, signature),
            "REST",
            unknown_signature=Code.INVALID_ARGUMENT,
        )
        size = sum(array.size for array in answer.outputs.values()) * 8
        return _json(
            await _in_thread_if_big(size, rest_json.answer, answer.outputs, parsed.by_rows)
        )

    def _look(self, spec: Spec, metadata: bool) -> Response:
        started = time.monotonic()
        response = self._metadata(spec) if metadata else self._status(spec)
        self._predictor.metrics.request(spec.model, "OK", "", "REST", time.monotonic() - started)
        return response

    def _status(self, spec: Spec) -> Response:
        return _json(
            {
                "model_version_status": [
                    {
                        "version": str(status.version),
                        "state": status.state.name,
                        "status": {"error_code": status.code.name, "error_message": status.message},
                    }
                    for status in self._predictor.models.statuses(spec.model, spec.version)
                ]
            }
        )

    def _metadata(self, spec: Spec) -> Response:
        lease = self._predictor.models.lease(spec.model, spec.version, spec.label)
        try:
            definitions = {
                name: _definition(signature, lease.servable.definitions[name])
                for name, signature in lease.servable.signatures.items()
            }
        finally:
            lease.release()
        return _json(
            {
                "model_spec": {
                    "name": spec.model,
                    "signature_name": "",
                    "version": str(lease.version),
                },
                "metadata": {"signature_def": {"signature_def": definitions}},
            }
        )


async def _body(request: Request, most: int, seconds: float) -> bytes:
    """Reads a request's body, and unpacks gzip. Raises _HttpError."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise _HttpError(415, f"Content-Encoding {encoding}: expected gzip or none")
    length = request.headers.get("content-length", "")
    too_large = _HttpError(413, f"Request body too large: expected at most {most} bytes")
    if length.isdigit() and int(length) > most:
        # A client that still sends does not read the answer: read some of the rest first.
        with contextlib.suppress(asyncio.TimeoutError, ClientDisconnect):
            await asyncio.wait_for(_drain(request, 4 * most), _DRAINING)
        raise too_large
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    pieces, size = [], 0

    async def read() -> None:
        nonlocal size
        async for piece in request.stream():
            if unpack:
                piece = unpack.decompress(piece, most - size + 1)
            size += len(piece)
            if size > most:
                raise too_large
            pieces.append(piece)

    try:
        await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        raise _HttpError(408, f"Request body did not come within {seconds:g} s") from None
    except zlib.error as error:
        raise RequestError(Code.INVALID_ARGUMENT, f"Cannot unpack gzip: {error}") from None
    if unpack and size and not unpack.eof:
        raise RequestError(Code.INVALID_ARGUMENT, "Cannot unpack gzip: the body ends too soon")
    return b"".join(pieces)


async def _drain(request: Request, most: int) -> None:
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            return


async def _in_thread_if_big(size: int, function, *arguments):
    """Calls a function, in a thread if it works on many bytes."""
    if size < _BIG:
        return function(*arguments)
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _spec(match: re.Match) -> Spec:
    version = None
    if match["version"]:
        version = int(match["version"]) if len(match["version"]) < 20 else 2**63
        if version >= 2**63:
            raise _HttpError(400, "")
    return Spec(
        unquote(match["model"]), version, unquote(match["label"]) if match["label"] else None
    )


def _with_signature(spec: Spec, signature) -> Spec:
    return Spec(spec.model, spec.version, spec.label, signature or "")


def _definition(signature: Signature, definition) -> dict:
    return {
        "inputs": {
            alias: _info(spec, definition.inputs[alias]) for alias, spec in signature.inputs.items()
        },
        "outputs": {
            alias: _info(spec, definition.outputs[alias])
            for alias, spec in signature.outputs.items()
        },
        "method_name": signature.method,
        "defaults": {},
    }


def _info(spec: TensorSpec, info) -> dict:
    sizes = [] if spec.shape is None else [-1 if size is None else size for size in spec.shape]
    return {
        "dtype": f"DT_{ {'float32': 'FLOAT', 'float64': 'DOUBLE', 'float16': 'HALF'}.get(spec.dtype, spec.dtype.upper()) }",
        "tensor_shape": {
            "dim": [{"size": str(size), "name": ""} for size in sizes],
            "unknown_rank": spec.shape is None,
        },
        "name": info.name,
    }


def _not_found() -> Response:
    return Response("<html><body>Not found</body></html>", 404, _HEADERS, media_type="text/html")


def _json(content) -> Response:
    body = (
        content
        if isinstance(content, bytes)
        else json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    )
    return Response(body, media_type="application/json", headers=_HEADERS)


def _error(status: int, message: str) -> Response:
    if not message:
        return Response(status_code=status)
    body = json.dumps({"error": message}, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, media_type="application/json", headers=_HEADERS)
