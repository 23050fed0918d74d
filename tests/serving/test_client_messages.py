"""The client's messages are wire-compatible with TensorFlow Serving's and can be imported together with them."""

import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from serving.client import Metadata, Signature, VersionStatus, grpc_transport
from serving.client import tf_serving_subset_pb2 as messages
from serving.client.protocol import ModelSpec

PAIRS = {
    messages.Tensor: tensor_pb2.TensorProto,
    messages.PredictRequest: predict_pb2.PredictRequest,
    messages.PredictResponse: predict_pb2.PredictResponse,
    messages.StatusRequest: get_model_status_pb2.GetModelStatusRequest,
    messages.StatusResponse: get_model_status_pb2.GetModelStatusResponse,
    messages.MetadataRequest: get_model_metadata_pb2.GetModelMetadataRequest,
    messages.MetadataResponse: get_model_metadata_pb2.GetModelMetadataResponse,
    messages.SignatureMap: get_model_metadata_pb2.SignatureDefMap,
}
TEXTS = ["Ada", "", "Zoë \0 👩🏽‍🚀"]


def differences(ours, theirs, seen=()):
    """The fields of the client's message whose number, label or type differs from the original."""
    if ours.full_name in seen:
        return
    for field in ours.fields:
        real = theirs.fields_by_name.get(field.name)
        enum = (
            real is not None and real.enum_type is not None and field.type == field.TYPE_INT32
        )  # alike on the wire
        if (
            real is None
            or (field.number, field.label) != (real.number, real.label)
            or not (enum or field.type == real.type)
        ):
            yield f"{ours.name}.{field.name}"
        elif field.message_type is not None:
            yield from differences(field.message_type, real.message_type, (*seen, ours.full_name))


@pytest.mark.parametrize("ours", PAIRS, ids=lambda one: one.DESCRIPTOR.name)
def test_fields_are_numbered_and_typed_as_tensorflow_servings(ours):
    assert list(differences(ours.DESCRIPTOR, PAIRS[ours].DESCRIPTOR)) == []


@pytest.mark.parametrize(
    "model", [ModelSpec("ner"), ModelSpec("ner", version=2**40), ModelSpec("ner", label="canary")]
)
def test_a_predict_request_is_parsed_by_tensorflow_servings_messages(model):
    request = predict_pb2.PredictRequest.FromString(grpc_transport.predict(model, TEXTS).body)
    expected = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name="ner", signature_name="serving_default"),
        inputs={"text": tf.make_tensor_proto([text.encode() for text in TEXTS], tf.string)},
        output_filter=["count", "type", "start", "end", "score"],
    )
    if model.version:
        expected.model_spec.version.value = model.version
    if model.label:
        expected.model_spec.version_label = model.label
    assert request == expected
    assert list(tf.make_ndarray(request.inputs["text"])) == [text.encode() for text in TEXTS]


@pytest.mark.parametrize("packed", [True, False])
def test_a_response_is_read_with_packed_and_repeated_values(packed):
    text = "so Ada met Bob"
    columns = {
        "count": tf.constant([2, 0], tf.int64),
        "type": tf.constant([["PER", "PER"], ["", ""]]),
        "start": tf.constant([[3, 11], [0, 0]], tf.int64),
        "end": tf.constant([[6, 14], [0, 0]], tf.int64),
        "score": tf.constant([[0.9, 0.8], [0, 0]], tf.float32),
    }
    response = predict_pb2.PredictResponse()
    for name, value in columns.items():
        proto = tf.make_tensor_proto(value)
        if not packed and proto.tensor_content:
            field = {tf.int64: "int64_val", tf.float32: "float_val"}[value.dtype]
            getattr(proto, field).extend(value.numpy().flatten().tolist())
            proto.tensor_content = b""
        response.outputs[name].CopyFrom(proto)
    first, second = grpc_transport.predict(ModelSpec(), [text, ""]).parse(
        response.SerializeToString()
    )
    assert [(one.text, one.start, one.end, one.score) for one in first] == [
        ("Ada", 3, 6, pytest.approx(0.9)),
        ("Bob", 11, 14, pytest.approx(0.8)),
    ]
    assert second == ()


def test_a_status_is_read():
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, state in enumerate(("START", "LOADING", "AVAILABLE", "UNLOADING", "END"), start=1):
        one = response.model_version_status.add(version=version)
        one.state = get_model_status_pb2.ModelVersionStatus.State.Value(state)
    one.status.error_code, one.status.error_message = 3, "cannot load"
    exchange = grpc_transport.status(ModelSpec("ner", version=3))
    assert (
        get_model_status_pb2.GetModelStatusRequest.FromString(
            exchange.body
        ).model_spec.version.value
        == 3
    )
    read = exchange.parse(response.SerializeToString())
    assert read[:4] == tuple(
        VersionStatus(n, state)
        for n, state in enumerate(("START", "LOADING", "AVAILABLE", "UNLOADING"), start=1)
    )
    assert read[4] == VersionStatus(5, "END", "cannot load")


def test_metadata_is_read():
    held = get_model_metadata_pb2.SignatureDefMap()
    signature = held.signature_def["serving_default"]
    signature.inputs["text"].dtype = tf.string.as_datatype_enum
    for name, dtype in (("count", tf.int64), ("score", tf.float32), ("flag", tf.bool)):
        signature.outputs[name].dtype = dtype.as_datatype_enum
    response = get_model_metadata_pb2.GetModelMetadataResponse(
        model_spec=model_pb2.ModelSpec(name="ner")
    )
    response.model_spec.version.value = 7
    response.metadata["signature_def"].Pack(held)
    exchange = grpc_transport.metadata(ModelSpec())
    request = get_model_metadata_pb2.GetModelMetadataRequest.FromString(exchange.body)
    assert list(request.metadata_field) == ["signature_def"]
    outputs = {"count": "DT_INT64", "score": "DT_FLOAT", "flag": "dtype 10"}
    assert exchange.parse(response.SerializeToString()) == Metadata(
        "ner", 7, {"serving_default": Signature({"text": "DT_STRING"}, outputs)}
    )
