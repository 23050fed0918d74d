"""The text protos of TensorFlow Serving except models.config, which tests/serving parses."""

import inspect

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from serving.client import Client

FIELD = descriptor_pb2.FieldDescriptorProto
# servables/tensorflow/session_bundle_config.proto and config/monitoring_config.proto: tensorflow-serving-api brings neither.
MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "allowed_batch_sizes": FIELD.TYPE_INT64,
        "pad_variable_length_inputs": FIELD.TYPE_BOOL,
        "enable_large_batch_splitting": "BoolValue",
    },
    "PrometheusConfig": {"enable": FIELD.TYPE_BOOL, "path": FIELD.TYPE_STRING},
    "MonitoringConfig": {"prometheus_config": ".PrometheusConfig"},
}


@pytest.fixture(scope="module")
def parse():
    """Reads a text proto as one of the messages above. They live in a pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(
        name="deploy.proto", syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            label = FIELD.LABEL_REPEATED if field == "allowed_batch_sizes" else FIELD.LABEL_OPTIONAL
            if isinstance(kind, str):
                type_name = kind if kind.startswith(".") else f".google.protobuf.{kind}"
                message.field.add(
                    name=field,
                    number=number,
                    label=label,
                    type=FIELD.TYPE_MESSAGE,
                    type_name=type_name,
                )
            else:
                message.field.add(name=field, number=number, label=label, type=kind)
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)

    def read(name, text):
        descriptor = pool.FindMessageTypeByName(name)
        if hasattr(message_factory, "GetMessageClass"):
            message = message_factory.GetMessageClass(descriptor)()
        else:  # protobuf 3.20
            message = message_factory.MessageFactory(pool).GetPrototype(descriptor)()
        return text_format.Parse(text, message)

    return read


@pytest.fixture(scope="module")
def batching(parse, deploy):
    return parse(
        "BatchingParameters", (deploy / "config/batching.config").read_text(encoding="utf-8")
    )


def test_batching_does_not_pad_rows_of_one_shape(batching):
    """Texts are `[batch]`, and nothing is padded. A split request's parts would differ in width."""
    assert (
        batching.batch_timeout_micros.value == 0
    )  # waiting costs a lone client, and gains nothing
    assert batching.max_enqueued_batches.value >= 1 and batching.num_batch_threads.value >= 1
    assert (
        not batching.pad_variable_length_inputs and not batching.enable_large_batch_splitting.value
    )
    assert list(batching.allowed_batch_sizes) in (
        [],
        [*batching.allowed_batch_sizes[:-1], batching.max_batch_size.value],
    )


def test_a_request_of_the_client_fits_into_a_batch(batching):
    assert (
        inspect.signature(Client).parameters["batch_texts"].default <= batching.max_batch_size.value
    )


def test_kserve_has_the_batching_parameters_of_the_other_deployments(parse, batching, read):
    [config] = [one for one in read("kserve/inferenceservice.yaml") if one["kind"] == "ConfigMap"]
    assert parse("BatchingParameters", config["data"]["batching.config"]) == batching


def test_prometheus_scrapes_the_configured_path(parse, deploy, read):
    config = parse(
        "MonitoringConfig", (deploy / "config/monitoring.config").read_text(encoding="utf-8")
    )
    assert (
        config.prometheus_config.enable
        and config.prometheus_config.path == "/monitoring/prometheus/metrics"
    )
    path = config.prometheus_config.path
    assert [
        one["metrics_path"] for one in read("prometheus/prometheus.yml")[0]["scrape_configs"]
    ] == [path]
    [monitor] = read("kubernetes/monitoring.yaml")
    assert [(end["port"], end["path"]) for end in monitor["spec"]["endpoints"]] == [("rest", path)]
    kserve = {one["kind"]: one for one in read("kserve/inferenceservice.yaml")}
    assert parse("MonitoringConfig", kserve["ConfigMap"]["data"]["monitoring.config"]) == config
    annotations = kserve["ServingRuntime"]["spec"]["annotations"]
    assert annotations == {"prometheus.kserve.io/port": "8080", "prometheus.kserve.io/path": path}


def test_a_misspelled_field_is_detected(parse):
    with pytest.raises(text_format.ParseError):
        parse("BatchingParameters", "max_batchsize { value: 1 }")


def test_compose_and_kubernetes_have_the_same_canary_configuration(deploy):
    compose, kubernetes = (
        (deploy / path).read_text(encoding="utf-8").partition("model_config_list")[2]
        for path in ("config/canary.config", "kubernetes/canary/models.config")
    )
    assert compose == kubernetes
