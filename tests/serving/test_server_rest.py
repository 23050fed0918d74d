"""The server's implementation of TensorFlow Serving's REST API: paths, formats, errors and bodies, over plain HTTP."""

import asyncio
import gzip
import http.client
import json
import socket

import httpx
import pytest

from serving.server import rest_api

PREDICT = "/v1/models/ner:predict"
ADA = {"count": 1, "type": ["V3"], "start": [0], "end": [3], "score": [0.9], "surface": ["Ada"]}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": ["Ada"]}, {"predictions": [ADA]}),
        ({"instances": [{"text": "Ada"}]}, {"predictions": [ADA]}),
        ({"instances": [{"b64": "QWRh"}]}, {"predictions": [ADA]}),
        ({"instances": ["Ada"], "signature_name": "serving_default"}, {"predictions": [ADA]}),
        ({"instances": ["Ada"], "signature_name": ""}, {"predictions": [ADA]}),
        ({"inputs": ["Ada"]}, {"outputs": {name: [value] for name, value in ADA.items()}}),
        (
            {"inputs": {"text": ["Ada"]}},
            {"outputs": {name: [value] for name, value in ADA.items()}},
        ),
        ({"inputs": ["é", "bcd"], "signature_name": "choosy"}, {"outputs": [2, 3]}),
        ({"instances": ["é", "bcd"], "signature_name": "choosy"}, {"predictions": [2, 3]}),
        ({"inputs": ["a b", "c"], "signature_name": "words"}, {"outputs": [["a", "b"], ["c", ""]]}),
        ({"inputs": ["a b", "c"], "signature_name": "one"}, {"outputs": 4}),
        (
            {"instances": ["é"], "signature_name": "raw"},
            {"predictions": [{"text_bytes": {"b64": "w6k="}, "text": "é"}]},
        ),
        (
            {
                "instances": [{"x": 1, "y": [0.5, 2]}, {"x": -4096, "y": [0, 0]}],
                "signature_name": "numbers",
            },
            {"predictions": [3.5, float(-4096)]},
        ),
    ],
)
def test_row_and_column_requests_are_answered(server, body, answer):
    assert server.http(PREDICT, body) == (200, answer)


def test_rows_are_in_the_order_of_the_instances(server):
    texts = ["Ada", "", "no one", "Bea Cal", "Dan"]
    status, answer = server.http(PREDICT, {"instances": texts})
    assert status == 200
    assert [row["surface"][: row["count"]] for row in answer["predictions"]] == [
        ["Ada"],
        [],
        [],
        ["Bea", "Cal"],
        ["Dan"],
    ]
    assert {len(row["surface"]) for row in answer["predictions"]} == {2}


def test_nan_and_infinity_are_written_by_name(server):
    body = b'{"inputs": {"flag": true, "x": [1, -1, 0, NaN]}, "signature_name": "kinds"}'
    _, answer = server.http(PREDICT, body)
    x = answer["outputs"].pop("x")
    assert x[:2] == [float("inf"), float("-inf")] and all(value != value for value in x[2:])
    assert answer["outputs"] == {"flag": [True] * 4, "small": [1] * 4}


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v1/models/ner:predict", 3),
        ("/v1/models/ner/versions/2:predict", 2),
        ("/v1/models/ner/labels/stable:predict", 2),
        ("/v1/models/ner/labels/canary:predict", 3),
        ("/v1/models/other:predict", 1),
        ("/v1/models/%6eer/labels/stabl%65:predict", 2),
    ],
)
def test_a_path_selects_a_version_or_label(server, path, version):
    status, answer = server.http(path, {"instances": ["Ada"]})
    assert status == 200 and answer["predictions"][0]["type"] == [f"V{version}"]


REFUSED = {
    "bad JSON": (PREDICT, b"{", 400, "JSON Parse error"),
    "no body": (PREDICT, b"", 400, "The document is empty"),
    "bad JSON for an unknown model": ("/v1/models/x:predict", b"{", 400, "JSON Parse error"),
    "no object": (PREDICT, [], 400, "Is not object"),
    "unknown model": (
        "/v1/models/x:predict",
        {"instances": ["a"]},
        404,
        "Servable not found for request: Latest(x)",
    ),
    "unknown version": (
        "/v1/models/ner/versions/9:predict",
        {"instances": ["a"]},
        404,
        "Servable not found for request: Specific(ner, 9)",
    ),
    "unknown label": (
        "/v1/models/ner/labels/l:predict",
        {"instances": ["a"]},
        400,
        "Unrecognized servable version label: l",
    ),
    "unknown signature": (
        PREDICT,
        {"instances": ["a"], "signature_name": "x"},
        400,
        'key "x" not found',
    ),
    "neither form": (PREDICT, {}, 400, "Missing 'inputs' or 'instances' key"),
    "both forms": (PREDICT, {"instances": ["a"], "inputs": ["a"]}, 400, "found both"),
    "empty instances": (PREDICT, {"instances": []}, 400, "No values"),
    "a number beyond double": (PREDICT, b'{"instances": [1e999]}', 400, "too big"),
    "UTF-16": (PREDICT, '{"instances": ["a"]}'.encode("utf-16"), 400, "JSON Parse error"),
    "a query behind predict": (PREDICT + "?x=1", {}, 400, "Malformed request: POST"),
    "a query behind a name": ("/v1/models/ner?x=1", None, 404, "of model ner?x=1"),
    "other key": (PREDICT, {"instances": [{"word": "a"}]}, 400, "does not have named input: word"),
    "more keys": (
        PREDICT,
        {"instances": [{"text": "a", "x": 1}]},
        400,
        "does not have named input: x",
    ),
    "unequal shapes": (PREDICT, {"instances": [["a"], ["b", "c"]]}, 400, "unexpected size"),
    "wrong rank": (
        PREDICT,
        {"instances": [["a"]]},
        400,
        "to have the shape [?] but [1,1] is provided",
    ),
    "wrong type": (PREDICT, {"instances": [1]}, 400, "not of expected type: string"),
    "b64 for a number": (
        PREDICT,
        {"inputs": {"x": [{"b64": "MQ=="}], "y": [[1, 2]]}, "signature_name": "numbers"},
        400,
        "not of expected type",
    ),
    "bad b64": (PREDICT, {"instances": [{"b64": "?"}]}, 400, "Unable to base64 decode"),
    "outputs without rows": (
        PREDICT,
        {"instances": ["a"], "signature_name": "one"},
        400,
        "inconsistent batch sizes",
    ),
    "refused by the model": (
        PREDICT,
        {"instances": ["bad"], "signature_name": "choosy"},
        400,
        "bad is refused",
    ),
    "classify": (
        "/v1/models/ner:classify",
        {"examples": [{}]},
        400,
        "Expected classification signature",
    ),
    "regress": ("/v1/models/ner:regress", {"examples": [{}]}, 400, "Expected regression signature"),
    "unknown verb": (
        "/v1/models/ner:explain",
        {},
        400,
        "Malformed request: POST /v1/models/ner:explain",
    ),
    "POST without a verb": ("/v1/models/ner", {}, 400, "Malformed request: POST /v1/models/ner"),
    "POST elsewhere": ("/v1/x", {}, 400, "Malformed request: POST /v1/x"),
    "GET elsewhere": ("/v1/x", None, 400, "Malformed request: GET /v1/x"),
    "GET /v1": ("/v1", None, 400, "Malformed request: GET /v1"),
    "GET predict": (PREDICT, None, 400, "Malformed request: GET /v1/models/ner:predict"),
    "GET version that is no number": ("/v1/models/ner/versions/x", None, 400, "Malformed request"),
    "no model": ("/v1/models", None, 400, "Missing model name in request."),
    "status of an unknown model": (
        "/v1/models/x",
        None,
        404,
        "Could not find any versions of model x",
    ),
    "status of an unknown version": (
        "/v1/models/ner/versions/9",
        None,
        404,
        "Could not find version 9 of model ner",
    ),
    "metadata of an unknown model": (
        "/v1/models/x/metadata",
        None,
        404,
        "Servable not found for request: Latest(x)",
    ),
    "metadata of an unknown version": (
        "/v1/models/ner/versions/9/metadata",
        None,
        404,
        "Specific(ner, 9)",
    ),
}


@pytest.mark.parametrize(("path", "body", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_request_is_refused(server, path, body, status, message):
    actual_status, answer = server.http(path, body)
    assert actual_status == status and list(answer) == ["error"] and message in answer["error"]


def test_a_version_out_of_range_is_refused_with_an_empty_body(server):
    path = "/v1/models/ner/versions/9223372036854775808:predict"
    assert server.http(path, {"instances": ["a"]}) == (400, "")


def test_a_preflight_is_answered_without_headers(server):
    assert server.http(PREDICT, b"", "OPTIONS", Origin="https://example.org") == (200, "")
    assert server.http(PREDICT, b"", "OPTIONS") == (400, "")


@pytest.mark.parametrize(
    ("body", "surface"),
    [
        (b'{"instances": ["Ad\xe9"]}', "Ad\ufffd"),
        (b'{"instances": ["Ada"], "instances": ["Bea"]}', "Ada"),
    ],
)
def test_nonstandard_json_is_read_as_tensorflow_serving_reads_it(server, body, surface):
    status, answer = server.http(PREDICT, body)
    assert status == 200 and answer["predictions"][0]["surface"] == [surface]


def test_no_inputs_have_empty_outputs(server):
    assert server.http(PREDICT, {"inputs": []})[1]["outputs"]["count"] == []


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [PREDICT, "/v1/models/ner"])
def test_wrong_verbs_are_malformed(server, verb, path):
    assert server.http(path, b"", verb) == (400, {"error": f"Malformed request: {verb} {path}"})


def test_status(server):
    available = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    three, two = {"version": "3", **available}, {"version": "2", **available}
    assert server.http("/v1/models/ner") == (200, {"model_version_status": [three, two]})
    assert server.http("/v1/models/ner/versions/2") == (200, {"model_version_status": [two]})
    for label in ("stable", "unknown"):  # TensorFlow Serving ignores the label here
        assert server.http(f"/v1/models/ner/labels/{label}") == (
            200,
            {"model_version_status": [three, two]},
        )


@pytest.mark.parametrize(
    ("suffix", "version"), [("", "3"), ("/versions/2", "2"), ("/labels/stable", "2")]
)
def test_metadata(server, suffix, version):
    status, answer = server.http(f"/v1/models/ner{suffix}/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "ner", "signature_name": "", "version": version}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    text = signature["inputs"]["text"]
    assert text.pop("name")
    assert text == {
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }
    assert signature["outputs"]["score"]["dtype"] == "DT_FLOAT"


def test_gzip_bodies_are_accepted(server):
    body = gzip.compress(json.dumps({"instances": ["Ada"]}).encode())
    assert server.http(PREDICT, body, Content_Encoding="gzip") == (200, {"predictions": [ADA]})


@pytest.mark.parametrize(
    "spoil", [lambda body: body[:-3], lambda body: b"x" + body, lambda body: body[:20] + b"x" * 9]
)
def test_invalid_gzip_is_refused(server, spoil):
    body = spoil(gzip.compress(json.dumps({"instances": ["Ada"]}).encode()))
    status, answer = server.http(PREDICT, body, Content_Encoding="gzip")
    assert status == 400 and "gzip" in answer["error"]


def test_other_encodings_are_refused(server):
    assert server.http(PREDICT, b"{}", Content_Encoding="br")[0] == 415


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_too_large_after_decompression_is_refused(server, encoding):
    body = json.dumps({"instances": ["a" * 2**21]}).encode()
    body = gzip.compress(body) if encoding == "gzip" else body
    status, answer = server.http(PREDICT, body, Content_Encoding=encoding)
    assert (status, answer) == (
        413,
        {"error": "Request body too large: expected at most 2097152 bytes"},
    )


def test_a_body_too_large_without_content_length_is_refused(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=60)
    try:
        connection.request("POST", PREDICT, iter([b" " * 2**20] * 3), encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has answered and hung up before everything was sent
    finally:
        connection.close()
    assert server.http(PREDICT, {"instances": ["Ada"]})[0] == 200


def test_a_body_of_the_largest_size_is_accepted(server):
    body = {"instances": ["a" * (2**21 - 100)]}
    assert server.http(PREDICT, body)[0] == 200


def test_many_texts_are_answered_in_order(server):
    status, answer = server.http(
        PREDICT, {"inputs": [f"Ada{n} " + "Bea " * (n % 3) for n in range(1_000)]}
    )
    assert status == 200
    assert [row[0] for row in answer["outputs"]["surface"]] == [f"Ada{n}" for n in range(1_000)]
    assert answer["outputs"]["count"] == [1 + n % 3 for n in range(1_000)]


def test_unusual_texts_are_answered(server):
    texts = ["", " ", "\0", "👍🏽 Ada", "Ещё раз", "\u202eAda", "a\nB", "Zo\u0308e"]
    status, answer = server.http(PREDICT, {"instances": texts})
    assert status == 200
    for text, row in zip(texts, answer["predictions"]):
        spans = zip(row["start"], row["end"], row["surface"])
        assert all(
            text[start:end] == surface for start, end, surface in list(spans)[: row["count"]]
        )


def test_time_out_and_cors(start, versions):
    server = start("--model-base-path", versions, "--timeout", "1", "--cors")
    body = {"inputs": [10**9], "signature_name": "busy"}
    assert server.http(PREDICT, body) == (504, {"error": "Deadline exceeded"})
    assert server.http(PREDICT, {"instances": ["Ada"]}) == (
        200,
        {"predictions": [ADA]},
    )  # the run was given up
    with socket.create_connection(("127.0.0.1", server.rest), timeout=60) as slow:
        slow.sendall(
            b"POST /v1/models/ner:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    assert "Traceback" not in server.output
    connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=60)
    for verb, headers in (
        (
            "OPTIONS",
            {
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "Content-Type",
            },
        ),
        ("POST", {}),
    ):
        connection.request(
            verb, PREDICT, b'{"instances": ["Ada"]}', {"Origin": "http://elsewhere", **headers}
        )
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200 and answer.getheader("Access-Control-Allow-Origin") == "*"
    connection.close()


def test_cors_is_off(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=60)
    connection.request("POST", PREDICT, b'{"instances": ["Ada"]}', {"Origin": "http://elsewhere"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("Access-Control-Allow-Origin") is None
    connection.close()


def test_metrics_count_requests(server):
    server.http(PREDICT, {"instances": ["Ada"]})
    server.http(PREDICT, {"instances": [1]})
    server.http("/v1/models/never-served:predict", {"instances": ["a"]})
    status, text = server.http("/monitoring/prometheus/metrics")
    assert status == 200
    assert '\n:tensorflow:serving:request_count{model_name="ner",status="OK"} ' in text
    assert (
        '\n:tensorflow:serving:request_count{model_name="ner",status="INVALID_ARGUMENT"} ' in text
    )
    for labels in (
        'request_latency_count{API="predict",entrypoint="REST",model_name="ner"} ',
        'runtime_latency_count{API="Predict",model_name="ner",runtime="TF1"} ',
    ):
        assert f":tensorflow:serving:{labels}" in text
    assert ":tensorflow:serving:model_warmup_latency_count" in text
    assert ":tensorflow:serving:batching_session:processed_batch_size_count" in text
    assert "never-served" not in text


def test_the_page_is_at_the_root_and_no_other_file_is_served(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest, timeout=60)
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read().decode()
    assert answer.status == 200 and body.lower().startswith("<!doctype html>")
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert "default-src 'self'" in answer.getheader("Content-Security-Policy")
    for path in (
        "/../model.py",
        "/%2e%2e/model.py",
        "/..%2fmodel.py",
        "//etc/passwd",
        "/__init__.py",
        "/none.js",
    ):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404, path
    connection.close()


def test_the_interface_describes_itself(server):
    status, answer = server.http("/openapi.json")
    assert status == 200 and "/v1/models/{model}:predict" in answer["paths"]


def test_the_page_asks_for_the_model_that_is_served():
    """The redirect names a model whose name is not the page's default."""

    async def get(name, path):
        transport = httpx.ASGITransport(rest_api.make_app(None, 1, model=name))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get(path)
            return answer.status_code, answer.headers.get("location")

    assert asyncio.run(get("ner", "/")) == (200, None)
    assert asyncio.run(get("drug names", "/")) == (307, "/?model=drug+names")
    assert asyncio.run(get("drug names", "/?model=drug+names")) == (200, None)
    assert asyncio.run(get("drug names", "/page.js")) == (200, None)
