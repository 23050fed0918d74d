"""Fake TensorFlow Serving over REST and gRPC in this process, with a model of a few lines."""

import json
import re
import ssl
import struct
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc

from serving.client import tf_serving_subset_pb2 as messages

HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
OUTPUTS = {"count": 9, "type": 7, "start": 9, "end": 9, "score": 1, "surface": 7}
FIELDS = {1: ("float_val", "f"), 7: ("string_val", ""), 9: ("int64_val", "q")}


class Refusal(Exception):
    """An error response of the model: the name of a gRPC code, and a message."""

    def __init__(self, code, message="no"):
        super().__init__(code, message)
        self.code, self.message = code, message


def found_in(text):
    """The model's entities in a text: capitalised words, as (type, start, end, score)."""
    return [
        ("NAME", one.start(), one.end(), 0.1 + len(one[0]) / 100)
        for one in re.finditer(r"[A-ZÄÖÜ]\w*", text)
    ]


@dataclass
class Model:
    """Predicts capitalised words, refuses a batch that contains POISON, and records its requests.

    `troubles` are answered first, one for each request; `before` is called with each batch; `body` is answered instead of
    anything; `packed` sends numbers as bytes over gRPC.
    """

    troubles: deque = field(default_factory=deque)
    before: object = lambda texts: None
    body: object = None
    packed: bool = True
    inputs: tuple = ("text",)
    outputs: tuple = tuple(OUTPUTS)
    batches: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def predict(self, texts, asked):
        self.batches.append(texts)
        self.asked.append(asked)
        if self.troubles:
            raise self.troubles.popleft()
        self.before(texts)
        if any("POISON" in text for text in texts):
            raise Refusal("INVALID_ARGUMENT", "poison in the batch")
        found = [found_in(text) for text in texts]
        longest = max(map(len, found), default=0)
        rows = [row + [("", 0, 0, 0.0)] * (longest - len(row)) for row in found]
        columns = {
            name: [[cell[n] for cell in row] for row in rows]
            for n, name in enumerate(("type", "start", "end", "score"))
        }
        surface = [[text[start:end] for _, start, end, _ in row] for text, row in zip(texts, rows)]
        return {"count": [len(row) for row in found], **columns, "surface": surface}


@contextmanager
def rest(model, port=0, certificate=None, workers=None):
    """Serves the model over REST and yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path.endswith("/metadata"):
                signature = {"inputs": {name: {"dtype": "DT_STRING"} for name in model.inputs}}
                signature["outputs"] = {name: {"dtype": "DT_INT64"} for name in model.outputs}
                held = {"signature_def": {"signature_def": {"serving_default": signature}}}
                self.answer(200, {"model_spec": {"name": "ner", "version": "7"}, "metadata": held})
            else:
                states = [("7", "AVAILABLE", ""), ("6", "END", "cannot load")]
                self.answer(
                    200,
                    {
                        "model_version_status": [
                            {
                                "version": version,
                                "state": state,
                                "status": {"error_code": "OK", "error_message": error},
                            }
                            for version, state, error in states
                        ]
                    },
                )

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert request["signature_name"] == "serving_default"
            texts = [row["text"] for row in request["instances"]]
            try:
                outputs = model.predict(
                    texts, {"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
                )
            except Refusal as refusal:
                self.answer(HTTP[refusal.code], {"error": refusal.message})
            else:
                rows = [
                    {name: values[n] for name, values in outputs.items()} for n in range(len(texts))
                ]
                self.answer(200, {"predictions": rows})

        def answer(self, status, content):
            body = json.dumps(content).encode() if model.body is None else model.body
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client has gone, as it does in some tests
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tensor(values, dtype, packed):
    """A TensorProto of rank 1 or 2, with numbers as bytes or in their repeated field."""
    result = messages.Tensor(dtype=dtype)
    result.tensor_shape.dim.add(size=len(values))
    if values and isinstance(values[0], list):
        result.tensor_shape.dim.add(size=len(values[0]))
        values = [cell for row in values for cell in row]
    name, code = FIELDS[dtype]
    if not code:
        result.string_val.extend(value.encode("utf-8", "replace") for value in values)
    elif packed:
        result.tensor_content = struct.pack(f"<{len(values)}{code}", *values)
    else:
        getattr(result, name).extend(values)
    return result


@contextmanager
def over_grpc(model, port=0, certificate=None, workers=8):
    """Serves the model over gRPC and yields its address."""

    def answered(respond):
        def handle(request, context):
            try:
                response = respond(request, dict(context.invocation_metadata()))
            except Refusal as refusal:
                context.abort(getattr(grpc.StatusCode, refusal.code), refusal.message)
            return response.SerializeToString() if model.body is None else model.body

        return grpc.unary_unary_rpc_method_handler(handle)

    def predict(request, headers):
        request = messages.PredictRequest.FromString(request)
        spec = request.model_spec
        assert spec.signature_name == "serving_default" and request.inputs["text"].dtype == 7
        texts = [text.decode() for text in request.inputs["text"].string_val]
        assert [one.size for one in request.inputs["text"].tensor_shape.dim] == [len(texts)]
        asked = {
            "name": spec.name,
            "version": spec.version.value,
            "label": spec.version_label,
            **headers,
        }
        response = messages.PredictResponse()
        for name, values in model.predict(texts, asked).items():
            if name in request.output_filter:
                response.outputs[name].CopyFrom(tensor(values, OUTPUTS[name], model.packed))
        return response

    def metadata(request, _):
        assert messages.MetadataRequest.FromString(request).metadata_field == ["signature_def"]
        held = messages.SignatureMap()
        for name in model.inputs:
            held.signature_def["serving_default"].inputs[name].dtype = 7
        for name in model.outputs:
            held.signature_def["serving_default"].outputs[name].dtype = OUTPUTS[name]
        response = messages.MetadataResponse()
        response.model_spec.name, response.model_spec.version.value = "ner", 7
        response.metadata["signature_def"].value = held.SerializeToString()
        return response

    def status(request, _):
        response = messages.StatusResponse()
        response.model_version_status.add(version=7, state=30)
        response.model_version_status.add(version=6, state=50).status.error_message = "cannot load"
        return response

    prediction = {"Predict": answered(predict), "GetModelMetadata": answered(metadata)}
    # Requests that still wait at the end of a test are abandoned.
    server = grpc.server(ThreadPoolExecutor(workers), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "tensorflow.serving.PredictionService", prediction
            ),
            grpc.method_handlers_generic_handler(
                "tensorflow.serving.ModelService", {"GetModelStatus": answered(status)}
            ),
        ]
    )
    if certificate:
        chain, key = (Path(path).read_bytes() for path in certificate)
        port = server.add_secure_port(
            f"localhost:{port}", grpc.ssl_server_credentials([(key, chain)])
        )
    else:
        port = server.add_insecure_port(f"localhost:{port}")
    server.start()
    try:
        yield f"grpc{'s' if certificate else ''}://localhost:{port}"
    finally:
        server.stop(None).wait()


SERVERS = {"rest": rest, "grpc": over_grpc}
