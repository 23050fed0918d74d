"""gRPC services, status codes and messages as TensorFlow Serving's, with the stubs of tensorflow-serving-api."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    regression_pb2,
)

from tests.serving.server_process import outputs, request


def refusal(call, asked, **options):
    with pytest.raises(grpc.RpcError) as raised:
        call(asked, timeout=60, **options)
    return raised.value.code().name, raised.value.details()


def changed(change, **particulars):
    asked = request("Ada", **particulars)
    change(asked)
    return asked


def fed(**inputs):
    asked = request()
    asked.ClearField("inputs")
    for alias, tensor in inputs.items():
        asked.inputs[alias].CopyFrom(tensor)
    return asked


def tensor(value, dtype=None, shape=None):
    return tf.make_tensor_proto(value, dtype, shape)


def undecodable(**particulars):
    proto = tensor(["Ada"])
    for name, value in particulars.items():
        setattr(proto, name, value)
    return proto


def many(size):
    proto = tensor(["Ada"])
    proto.tensor_shape.dim[0].size = size
    return proto


TABLE = {
    "no model_spec": (
        changed(lambda one: one.ClearField("model_spec")),
        ("INVALID_ARGUMENT", "Missing ModelSpec"),
    ),
    "empty name": (
        request("Ada", model=""),
        ("INVALID_ARGUMENT", "ModelSpec has no name specified."),
    ),
    "unknown model": (
        request("Ada", model="x"),
        ("NOT_FOUND", "Servable not found for request: Latest(x)"),
    ),
    "unknown version of an unknown model": (
        request("Ada", model="x", version=9),
        ("NOT_FOUND", "Servable not found for request: Specific(x, 9)"),
    ),
    "unknown version": (
        request("Ada", version=9),
        ("NOT_FOUND", "Servable not found for request: Specific(ner, 9)"),
    ),
    "version that the policy leaves out": (
        request("Ada", version=1),
        ("NOT_FOUND", "Servable not found for request: Specific(ner, 1)"),
    ),
    "unknown label": (
        request("Ada", label="l"),
        ("INVALID_ARGUMENT", "Unrecognized servable version label: l"),
    ),
    "unknown signature": (
        request("Ada", signature="x"),
        ("FAILED_PRECONDITION", 'Serving signature key "x" not found.'),
    ),
    "missing input": (
        fed(),
        (
            "INVALID_ARGUMENT",
            "input size does not match signature: 0!=1 len({}) != len({text}). Sent extra: {}. Missing but required:"
            " {text}.",
        ),
    ),
    "extra input": (
        fed(text=tensor(["Ada"]), more=tensor([1])),
        (
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({more,text}) != len({text}). Sent extra: {more}. Missing but"
            " required: {}.",
        ),
    ),
    "another input": (
        fed(word=tensor(["Ada"])),
        (
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=1 len({word}) != len({text}). Sent extra: {word}. Missing but"
            " required: {text}.",
        ),
    ),
    "undecodable: bytes that are no strings": (
        fed(text=undecodable(tensor_content=b"xyz")),
        ("INVALID_ARGUMENT", "tensor parsing error: text"),
    ),
    "undecodable: no type": (
        fed(text=undecodable(dtype=0)),
        ("INVALID_ARGUMENT", "tensor parsing error: text"),
    ),
    "undecodable: a type that there is not": (
        fed(text=undecodable(dtype=9999)),
        ("INVALID_ARGUMENT", "tensor parsing error: text"),
    ),
    "undecodable: a negative size": (
        fed(text=many(-1)),
        ("INVALID_ARGUMENT", "tensor parsing error: text"),
    ),
    "undecodable: more than any memory holds": (
        fed(text=many(2**60)),
        ("INVALID_ARGUMENT", "tensor parsing error: text"),
    ),
    "undecodable: more values than the shape has": (
        fed(text=many(0)),
        ("INVALID_ARGUMENT", "tensor parsing error: text"),
    ),
    "wrong type": (
        fed(text=tensor([1.5], tf.float32)),
        ("INVALID_ARGUMENT", "Expects arg[0] to be string but float is provided"),
    ),
    "wrong rank": (
        fed(text=tensor([["Ada"]])),
        ("INVALID_ARGUMENT", "Expects text to have the shape [?] but [1,1] is provided"),
    ),
    "unknown output": (
        changed(lambda one: one.output_filter.append("x")),
        ("INVALID_ARGUMENT", "output tensor alias not found in signature: x"),
    ),
    "repeated output": (
        changed(lambda one: one.output_filter.extend(["type", "count", "type"])),
        ("INVALID_ARGUMENT", "duplicate output tensor alias: type"),
    ),
}


@pytest.mark.parametrize(("asked", "refused"), TABLE.values(), ids=TABLE)
def test_predict_refuses_a_bad_request(server, asked, refused):
    assert refusal(server.prediction.Predict, asked) == refused


def test_an_argument_of_a_wrong_type_is_named_by_its_index(server):
    asked = fed(x=tensor([1], tf.int64), y=tensor([[1, 2]], tf.int64))
    asked.model_spec.signature_name = "numbers"
    code, message = refusal(server.prediction.Predict, asked)
    assert (code, message) == (
        "INVALID_ARGUMENT",
        "Expects arg[1] to be float but int64 is provided",
    )


def test_an_error_in_the_model_is_an_invalid_argument(server):
    code, message = refusal(server.prediction.Predict, request("bad", signature="choosy"))
    assert code == "INVALID_ARGUMENT" and "bad is refused" in message


def test_a_passed_deadline_is_deadline_exceeded(server):
    asked = fed(steps=tensor([10**9], tf.int64))
    asked.model_spec.signature_name = "busy"
    with pytest.raises(grpc.RpcError) as raised:
        server.prediction.Predict(asked, timeout=0.3)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (request("Ada met Zoë"), 3),
        (request("Ada met Zoë", version=2), 2),
        (request("Ada met Zoë", label="stable"), 2),
        (request("Ada met Zoë", label="canary", signature="serving_default"), 3),
    ],
)
def test_the_response_names_model_version_and_signature(server, asked, version):
    answer = server.prediction.Predict(asked)
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (
        "ner",
        version,
        "serving_default",
    )
    assert outputs(answer) == {
        "count": [2],
        "type": [[f"V{version}".encode()] * 2],
        "start": [[0, 8]],
        "end": [[3, 11]],
        "score": [[pytest.approx(0.9)] * 2],
        "surface": [[b"Ada", "Zoë".encode()]],
    }


def test_values_are_in_the_repeated_field_of_their_type(server):
    answer = server.prediction.Predict(request("Ada"))
    assert list(answer.outputs["count"].int64_val) == [1]
    assert list(answer.outputs["type"].string_val) == [b"V3"]
    assert len(answer.outputs["score"].float_val) == 1
    assert not any(one.tensor_content for one in answer.outputs.values())


def test_output_filter_selects_the_outputs(server):
    asked = changed(lambda one: one.output_filter.extend(["surface", "count"]))
    assert outputs(server.prediction.Predict(asked)) == {"count": [1], "surface": [[b"Ada"]]}


def test_tensors_are_accepted_as_packed_bytes_or_repeated_fields(server):
    packed = tf.make_tensor_proto(np.array([[1, 2], [3, 4]], np.float32))
    loose = tensor([0], tf.float32, [2, 2])
    loose.ClearField("float_val")
    loose.float_val.extend([1, 2, 3, 4])
    assert packed.tensor_content and not loose.tensor_content
    for y in (packed, loose):
        asked = fed(x=tensor([10, 20], tf.int64), y=y)
        asked.model_spec.signature_name = "numbers"
        assert outputs(server.prediction.Predict(asked)) == {"total": [13.0, 27.0]}


def test_a_single_value_is_repeated_for_the_whole_shape(server):
    assert outputs(server.prediction.Predict(fed(text=many(3))))["count"] == [1, 1, 1]


def test_no_texts_have_empty_outputs(server):
    assert outputs(server.prediction.Predict(request()))["count"] == []


@pytest.mark.parametrize(
    ("signature", "output"), [("words", "words"), ("one", "length"), ("raw", "text_bytes")]
)
def test_signatures_without_batching_are_served(server, signature, output):
    assert output in server.prediction.Predict(request("Ada", "b c", signature=signature)).outputs


def test_a_failing_request_does_not_affect_others_in_its_batch(server):
    def ask(text):
        try:
            return outputs(
                server.prediction.Predict(request(text, signature="choosy"), timeout=60)
            )["count"]
        except grpc.RpcError as error:
            return error.code().name

    texts = ["bad" if number % 5 == 0 else "a" * number for number in range(60)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, texts))
    assert answers == ["INVALID_ARGUMENT" if text == "bad" else [len(text)] for text in texts]


def test_a_message_too_large_is_refused(server):
    code, _ = refusal(server.prediction.Predict, request("a" * (2 * 2**20 + 1)))
    assert code == "RESOURCE_EXHAUSTED"


def metadata(*fields, **particulars):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    asked.model_spec.CopyFrom(request("", **particulars).model_spec)
    return asked


def test_metadata_has_the_signatures(server):
    answer = server.prediction.GetModelMetadata(metadata("signature_def", label="stable"))
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("ner", 2)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert list(answer.metadata) == ["signature_def"] and answer.metadata["signature_def"].Unpack(
        signatures
    )
    default = signatures.signature_def["serving_default"]
    assert (
        default.method_name == "tensorflow/serving/predict"
        and default.inputs["text"].dtype == tf.string
    )
    assert [dim.size for dim in default.inputs["text"].tensor_shape.dim] == [-1]
    assert {*default.outputs} == {"count", "type", "start", "end", "score", "surface"}


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (
            get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
            ("INVALID_ARGUMENT", "Missing ModelSpec"),
        ),
        (
            metadata(),
            (
                "INVALID_ARGUMENT",
                "GetModelMetadataRequest must specify at least one metadata_field",
            ),
        ),
        (metadata("x"), ("INVALID_ARGUMENT", "Metadata field x is not supported")),
        (
            metadata("signature_def", model="x"),
            ("NOT_FOUND", "Servable not found for request: Latest(x)"),
        ),
        (
            metadata("signature_def", version=9),
            ("NOT_FOUND", "Servable not found for request: Specific(ner, 9)"),
        ),
    ],
)
def test_get_model_metadata_refuses_a_bad_request(server, asked, refused):
    assert refusal(server.prediction.GetModelMetadata, asked) == refused


def status(**particulars):
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.CopyFrom(request("", **particulars).model_spec)
    return asked


def test_status_lists_the_versions(server):
    states = get_model_status_pb2.ModelVersionStatus
    answer = server.models.GetModelStatus(status())
    assert [
        (one.version, one.state, one.status.error_code) for one in answer.model_version_status
    ] == [
        (3, states.AVAILABLE, 0),
        (2, states.AVAILABLE, 0),
    ]
    for label in ("stable", "unknown"):  # TensorFlow Serving ignores the label here
        assert server.models.GetModelStatus(status(label=label)) == answer


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (get_model_status_pb2.GetModelStatusRequest(), "INVALID_ARGUMENT"),
        (status(model=""), "NOT_FOUND"),
        (status(model="x"), "NOT_FOUND"),
        (status(version=9), "NOT_FOUND"),
    ],
)
def test_get_model_status_refuses_a_bad_request(server, asked, code):
    assert refusal(server.models.GetModelStatus, asked)[0] == code


def test_classify_refuses_a_predict_signature(server):
    for asked, call, kind in (
        (classification_pb2.ClassificationRequest(), server.prediction.Classify, "classification"),
        (regression_pb2.RegressionRequest(), server.prediction.Regress, "regression"),
    ):
        asked.model_spec.name = "ner"
        code, message = refusal(call, asked)
        assert code == "INVALID_ARGUMENT" and message.startswith(
            f"Expected {kind} signature method_name to be"
        )
        asked.model_spec.name = "x"
        assert refusal(call, asked)[0] == "NOT_FOUND"
    assert (
        refusal(server.prediction.MultiInference, inference_pb2.MultiInferenceRequest())[0]
        == "INVALID_ARGUMENT"
    )


def test_an_invalid_message_is_refused_and_the_server_continues(server):
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\xff\xff\xff", timeout=60)
    assert raised.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
    assert outputs(server.prediction.Predict(request("Ada")))["count"] == [1]
    assert "Traceback" not in server.output


def test_the_standard_health_service(server):
    health = health_pb2_grpc.HealthStub(server.channel)
    for name in ("", "PredictionService", "ModelService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert refusal(health.Check, health_pb2.HealthCheckRequest(service="x"))[0] == "NOT_FOUND"
