"""Requests generated from the OpenAPI description and from the protobuf messages; none may break the server.

`FUZZ_REQUESTS` is the number of requests of each kind.
"""

import os

import grpc
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

from tests.serving.server_process import outputs, request

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", 100))
MANY = settings(
    max_examples=REQUESTS,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
# The status codes of an invalid request: not UNKNOWN, INTERNAL or, without overload, UNAVAILABLE.
FAIR = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED",
}


def narrowed(description):
    """The description with known and a few unknown names, so that most requests reach a model."""
    known = {
        "model": ["ner", "other", "x"],
        "version": [1, 2, 3],
        "label": ["stable", "canary", "x"],
    }
    for path in description["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = {**parameter["schema"], "enum": known[parameter["name"]]}
                parameter["schema"].pop("pattern", None)
    schemas = description["components"]["schemas"]
    for form in schemas["Predict"]["oneOf"]:
        form["properties"]["signature_name"]["enum"] = [
            "",
            "serving_default",
            "words",
            "raw",
            "choosy",
            "x",
        ]
    return description


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_rest_responses_to_generated_requests_match_the_openapi_schema(server, mode):
    schema = schemathesis.openapi.from_dict(narrowed(server.http("/openapi.json")[1]))
    operations = [one.ok() for one in schema.get_all_operations()]
    asked = st.sampled_from(operations).flatmap(
        lambda operation: operation.as_strategy(generation_mode=mode)
    )
    statuses = set()

    @MANY
    @given(asked)
    def ask(case):
        response = case.call(base_url=f"http://127.0.0.1:{server.rest}", timeout=60)
        statuses.add(response.status_code)
        assert response.status_code < 500 or response.status_code == 501, response.text
        if response.status_code >= 400:
            # As TensorFlow Serving: HTML for a path outside the interface, an empty body for a version
            # that is not an int64, and otherwise an error as JSON.
            is_html = "text/html" in response.headers.get("content-type", [""])[0]
            if not (response.status_code == 404 and is_html) and response.content:
                assert [*response.json()] == ["error"], response.text
        elif mode is schemathesis.GenerationMode.POSITIVE:
            case.validate_response(
                response,
                checks=[
                    schemathesis.checks.CHECKS.get_one("status_code_conformance"),
                    schemathesis.checks.CHECKS.get_one("response_schema_conformance"),
                ],
            )

    ask()
    assert 200 in statuses or mode is schemathesis.GenerationMode.NEGATIVE
    unharmed(server)


SHAPES = st.lists(st.integers(-2, 4) | st.sampled_from([2**31, 2**62, -(2**63)]), max_size=3)
TEXTS = st.binary(max_size=20) | st.text(max_size=20).map(
    lambda text: text.encode("utf-8", "replace")
)


@st.composite
def tensors(draw):
    values = draw(st.lists(TEXTS, max_size=4))
    if draw(st.booleans()):  # a good one
        proto = request(*values).inputs["text"]
        return proto
    proto = request().inputs["text"]
    proto.dtype = draw(st.sampled_from([0, *types_pb2.DataType.values(), 9_999]))
    del proto.tensor_shape.dim[:]
    for size in draw(SHAPES):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.booleans()) and draw(st.booleans())
    proto.string_val.extend(values)
    proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=3)))
    proto.int64_val.extend(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)))
    proto.int_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3)))
    proto.bool_val.extend(draw(st.lists(st.booleans(), max_size=2)))
    proto.tensor_content = draw(st.binary(max_size=24))
    proto.version_number = draw(st.integers(-1, 1))
    return proto


@st.composite
def requests(draw):
    asked = predict_pb2.PredictRequest()
    if draw(st.integers(0, 9)):
        asked.model_spec.name = draw(
            st.sampled_from(["ner", "ner", "ner", "other", "", "x"]) | st.text(max_size=9)
        )
        names = ["", "serving_default", "numbers", "words", "one", "raw", "choosy", "kinds"]
        asked.model_spec.signature_name = draw(st.sampled_from(names) | st.text(max_size=5))
        choice = draw(st.integers(0, 5))
        if choice == 0:
            asked.model_spec.version.value = draw(
                st.integers(-(2**63), 2**63 - 1) | st.integers(1, 3)
            )
        elif choice == 1:
            asked.model_spec.version_label = draw(
                st.sampled_from(["stable", "canary"]) | st.text(max_size=9)
            )
    for alias in draw(
        st.sets(st.sampled_from(["text", "x", "y", "flag"]) | st.text(max_size=3), max_size=2)
        | st.just({"text"})
    ):
        asked.inputs[alias].CopyFrom(draw(tensors()))
    asked.output_filter.extend(draw(st.lists(st.sampled_from(["count", "type", "x"]), max_size=2)))
    return asked


def test_grpc_answers_generated_requests(server):
    codes = set()

    # One valid and one invalid request, because the generated ones may be neither.
    @MANY
    @given(requests())
    @example(request("Ada"))
    @example(predict_pb2.PredictRequest())
    def ask(asked):
        try:
            server.prediction.Predict(asked, timeout=60)
            codes.add("OK")
        except grpc.RpcError as error:
            codes.add(error.code().name)
            assert error.code().name in FAIR, (error.code(), error.details())
            assert error.details()

    ask()
    assert "OK" in codes and "INVALID_ARGUMENT" in codes
    unharmed(server)


def test_arbitrary_bytes_do_not_break_the_server(server):
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    good = request("Ada", "Bea").SerializeToString()

    @MANY
    @given(
        st.binary(max_size=64)
        | st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)).map(
            lambda change: good[: change[0]] + bytes([change[1]]) + good[change[0] + 1 :]
        )
    )
    def ask(message):
        try:
            call(message, timeout=60)
        except grpc.RpcError as error:
            assert error.code() not in (
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.UNAVAILABLE,
            ), error.details()

    ask()
    unharmed(server)


def unharmed(server):
    """Asserts that the server still responds and has logged no error."""
    assert outputs(server.prediction.Predict(request("Ada"), timeout=60))["count"] == [1]
    assert server.http("/v1/models/ner:predict", {"instances": ["Ada"]})[0] == 200
    assert "Traceback" not in server.output and "failed:" not in server.output
    print(f"after {REQUESTS} requests the server has {server.resident} MB")
