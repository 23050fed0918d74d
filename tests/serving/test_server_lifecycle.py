"""A server from start to stop: messages, refused options, TLS, configuration, and graceful shutdown."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_management_pb2, prediction_service_pb2_grpc

from components.errors import UserError
from components.export import card
from components.publishing import canary, changes
from components.publishing import versions as versions_module
from components.publishing.versions import Folders
from serving.server import config, main
from tests.serving import small_models
from tests.serving.server_process import outputs, request

PREDICT = "/v1/models/ner:predict"
METRICS = "/monitoring/prometheus/metrics"


def ended(server):
    """Waits for the server to end; returns the exit code and the output."""
    code = server.process.wait(120)
    return code, server.output


def test_the_server_prints_its_kind_and_its_addresses(server):
    assert "a stand-in for development: it is not TensorFlow Serving" in server.output
    assert f"REST and page on http://127.0.0.1:{server.rest}\n" in server.output
    assert f"gRPC on 127.0.0.1:{server.grpc}\n" in server.output
    assert "password" not in server.output


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
    ]
    + [("10.0.0.1", False), ("example.org", False)],
)
def test_the_server_warns_of_a_public_address(host, is_loopback):
    assert main.is_loopback(host) is is_loopback


def test_the_server_listens_on_loopback_only(server):
    """The kernel's tables have no socket of the server with another address."""
    inodes = set()
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it may be shut by now
            inodes.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
    listening = [
        fields[1].partition(":")[0]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[9] in inodes and fields[3] == "0A"
    ]
    assert len(listening) == 2
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert {*listening} <= loopback


def test_a_taken_grpc_port_is_reported_in_one_line(start, versions):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = ended(start("--model-base-path", versions, "--grpc-port", port, ready=False))
    assert code == 2 and "Traceback" not in output
    assert f"cannot listen on 127.0.0.1:{port}; choose another --grpc-port or --host" in output


def test_a_taken_rest_port_is_reported_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=f"cannot listen on 127.0.0.1:{port} .*; choose another --rest-port"
        ):
            main.bind("127.0.0.1", port)


def test_an_unloadable_first_version_is_reported_in_one_line(start, tmp_path):
    (tmp_path / "ner").mkdir()
    small_models.publish_broken(tmp_path / "ner", 1)
    code, output = ended(start("--model-base-path", tmp_path / "ner", ready=False))
    assert (
        code == 2
        and "tfx-ner: version 1 of model ner cannot be loaded" in output
        and "Traceback" not in output
    )


def test_the_ports_are_closed_until_the_first_version_is_loaded(start, versions, tmp_path):
    (tmp_path / "ner").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start(
        "--model-base-path", tmp_path / "ner", "--wait", "--rest-port", port, ready=False
    )
    server.wait_for(lambda: "waiting: no version of model ner" in server.output)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    small_models.publish(versions / "1", tmp_path / "ner", 1)
    server.wait_for(lambda: "gRPC on" in server.output)
    server.rest = port
    assert server.states() == {1: "AVAILABLE"}


def test_the_server_can_be_stopped_while_it_waits_for_a_version(start, tmp_path):
    (tmp_path / "ner").mkdir()
    server = start("--model-base-path", tmp_path / "ner", "--wait", ready=False)
    server.wait_for(lambda: "waiting" in server.output)
    server.process.terminate()
    assert ended(server)[0] == 0


STEPS = 400_000  # keep the model busy for a second or so


def test_sigint_answers_rest_requests_in_flight_before_the_server_stops(start, versions):
    server = start("--model-base-path", versions)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.http, PREDICT, {"inputs": [STEPS], "signature_name": "busy"})
        server.wait_for(lambda: "processed_batch_size_count 1.0" in server.http(METRICS)[1])
        server.process.send_signal(signal.SIGINT)
        assert answer.result(120) == (200, {"outputs": [2 * STEPS]})
    code, output = ended(server)
    assert code == 0 and output.endswith(
        "stopping: requests in flight are answered first\nstopped\n"
    )


def test_sigterm_answers_grpc_requests_in_flight_and_notifies_health_watchers(start, versions):
    server = start("--model-base-path", versions)
    asked = request(signature="busy")
    asked.ClearField("inputs")
    asked.inputs["steps"].CopyFrom(tf.make_tensor_proto([STEPS], tf.int64))
    health, seen = health_pb2_grpc.HealthStub(server.channel), []

    def watch():
        with contextlib.suppress(grpc.RpcError):  # the stream ends with the server
            seen.extend(
                one.status for one in health.Watch(health_pb2.HealthCheckRequest(), timeout=120)
            )

    with ThreadPoolExecutor(2) as pool:
        watching = pool.submit(watch)
        server.wait_for(lambda: seen)
        answer = pool.submit(server.prediction.Predict, asked)
        server.wait_for(lambda: "processed_batch_size_count 1.0" in server.http(METRICS)[1])
        server.process.terminate()
        assert outputs(answer.result(120)) == {"steps": [2 * STEPS]}
        watching.result(120)
    states = health_pb2.HealthCheckResponse
    assert seen == [states.SERVING, states.NOT_SERVING]
    assert ended(server)[0] == 0


def test_a_version_with_a_failing_warmup_is_not_served(start, versions, tmp_path):
    folder = tmp_path / "ner"
    folder.mkdir()
    small_models.publish(versions / "1", folder, 1)
    server = start("--model-base-path", folder)
    source = tmp_path / "elsewhere"
    source.mkdir()
    small_models.save(source, 2)
    file = source / "2" / "assets.extra" / "tf_serving_warmup_requests"
    file.write_bytes(file.read_bytes()[:-4])
    (source / "2").rename(folder / "2")
    server.wait_for(lambda: server.states().get(2) == "END")
    assert server.states() == {2: "END", 1: "AVAILABLE"}
    assert server.http(PREDICT, {"instances": ["Ada"]})[1]["predictions"][0]["type"] == ["V1"]
    _, answer = server.http("/v1/models/ner/versions/2")
    assert (
        "cannot read the warm-up requests"
        in answer["model_version_status"][0]["status"]["error_message"]
    )
    assert (
        'model_warmup_latency_count{model_path="'
        in server.http("/monitoring/prometheus/metrics")[1]
    )


def reload(server, text):
    asked = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(text, asked.config)
    return server.models.HandleReloadConfigRequest(asked, timeout=120).status


def published(versions, folder, number):
    """A small model with a card, which promotion and rollback need."""
    model = shutil.copytree(versions / str(number), folder / f"model-{number}")
    card.save_card(card.Card(("O",), "0"), model)
    return model


def test_a_canary_is_published_promoted_and_dropped_by_renames_alone(start, versions, tmp_path):
    """The configuration file, written by a run, stays the same."""
    folders = Folders(tmp_path / "serving" / "ner", tmp_path / "withdrawn" / "ner")
    first, second, third = (
        int(changes.publish(published(versions, tmp_path, number), folders, as_canary=True).name)
        for number in (1, 2, 3)
    )
    server = start("--model-config-file", folders.live.parent / canary.CONFIG)

    def served():
        return tuple(
            max(version for version, state in server.states(model).items() if state == "AVAILABLE")
            for model in ("ner", "ner-canary")
        )

    assert served() == (first, third)
    assert versions_module.versions(folders.withdrawn) == [second]
    changes.promote(folders, None)
    server.wait_for(lambda: served() == (third, third))
    changes.rollback(folders, None, "now", "me", "")
    server.wait_for(lambda: served() == (first, first))
    assert server.http(PREDICT, {"instances": ["Ada"]})[0] == 200


def test_the_configuration_is_reloaded(start, versions):
    server = start("--model-base-path", versions)
    everything = f"""model_config_list {{
      config {{ name: "ner" base_path: "{versions}" model_version_policy {{ specific {{ versions: 2 versions: 3 }} }}
                version_labels {{ key: "stable" value: 2 }} }}
      config {{ name: "second" base_path: "{versions}" }} }}"""
    assert reload(server, everything).error_code == 0
    assert server.http("/v1/models/ner/labels/stable:predict", {"instances": ["Ada"]})[0] == 200
    assert server.states("second") == {3: "AVAILABLE"}

    status = reload(server, everything.replace("value: 2", "value: 1"))
    assert (
        status.error_code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
        and "Request to assign label to version 1" in status.error_message
    )
    assert server.http("/v1/models/ner/labels/stable:predict", {"instances": ["Ada"]})[0] == 200

    status = reload(
        server, 'model_config_list { config { name: "ner" base_path: "not/absolute" } }'
    )
    assert status.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert reload(server, "").error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert server.http(PREDICT, {"instances": ["Ada"]})[0] == 200

    assert (
        reload(
            server, f'model_config_list {{ config {{ name: "second" base_path: "{versions}" }} }}'
        ).error_code
        == 0
    )
    assert server.http(PREDICT, {"instances": ["Ada"]})[0] == 404
    assert server.http("/v1/models/second:predict", {"instances": ["Ada"]})[0] == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { config {", "models.config: "),
        ("", "models.config: expected a model_config_list"),
        ('model_config_list { config { name: "a" base_path: "x" } }', "absolute path"),
        ('model_config_list { config { name: "a/b" base_path: "/x" } }', "without / and :"),
        (
            'model_config_list { config { name: "a" base_path: "/x" model_platform: "other" } }',
            "expected tensorflow",
        ),
    ],
)
def test_an_invalid_configuration_is_reported_in_one_line(tmp_path, text, message):
    (tmp_path / "models.config").write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        config.read_models(str(tmp_path / "models.config"))
    assert str(raised.value).startswith(f"{tmp_path}/models.config: ") and "\n" not in str(
        raised.value
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A key and a self-signed certificate for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: expected it on the PATH, to make a certificate")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        + [
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    return (folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes()


def test_grpc_can_be_encrypted_and_ask_for_certificates(start, versions, tmp_path, pair):
    key, certificate = pair
    shown = json.dumps(certificate.decode())
    (tmp_path / "ssl.config").write_text(
        f"server_key: {json.dumps(key.decode())} server_cert: {shown} custom_ca: {shown} client_verify: true"
    )
    server = start("--model-base-path", versions, "--ssl-config-file", tmp_path / "ssl.config")
    assert "gRPC with TLS on" in server.output

    def asked(credentials):
        with grpc.secure_channel(f"localhost:{server.grpc}", credentials) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            return outputs(stub.Predict(request("Ada"), timeout=60))["count"]

    assert asked(grpc.ssl_channel_credentials(certificate, key, certificate)) == [1]
    with pytest.raises(grpc.RpcError) as raised:
        server.prediction.Predict(request("Ada"), timeout=60)  # in plain text
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.RpcError):  # without a certificate of its own
        asked(grpc.ssl_channel_credentials(certificate))
    assert server.http(PREDICT, {"instances": ["Ada"]})[0] == 200
