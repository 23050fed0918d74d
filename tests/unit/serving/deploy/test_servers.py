"""The flags of TensorFlow Serving in each deployment."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.commands.serve import serve

VERSION = "2.16.1"
MODELS = {"compose ner-stable": "ner", "compose ner-canary": "ner-canary"}
PORTS = {"kserve": ("9000", "8080")}
FILES = ("model_config_file", "batching_parameters_file", "monitoring_config_file")


def test_the_deployments_are_those_of_the_other_tests(servers):
    assert servers.keys() == {
        "compose ner-stable",
        "compose ner-canary",
        "kubernetes",
        "kserve",
        "systemd",
    }


@pytest.fixture(scope="module")
def flags():
    """The server's flags by name: type and default."""
    head, *lines = (Path(__file__).parent / "flags.csv").read_text(encoding="utf-8").splitlines()
    assert VERSION in head
    return {name: (kind, default) for name, kind, default in (line.split(",") for line in lines)}


def test_every_flag_exists_and_has_a_value_of_its_type(servers, flags):
    types = {"int": r"\d+", "bool": "true|false", "string": ".+"}
    for name, server in servers.items():
        for flag, value in server.flags.items():
            assert re.fullmatch(types[flags[flag][0]], value), (name, flag)


def test_flags_that_repeat_a_default_are_known(servers, flags):
    """The documentation relies on these defaults, so the deployments set them explicitly."""
    repeated = {
        flag
        for server in servers.values()
        for flag, value in server.flags.items()
        if flags[flag][1] == value
    }
    assert repeated == {
        "port",
        "rest_api_timeout_in_ms",
        "file_system_poll_wait_seconds",
        "enable_model_warmup",
    }


def test_flags_queue_requests_and_do_not_block_on_a_broken_version(servers):
    """The defaults refuse gRPC requests beyond 4 * cores, and retry a broken version for 5 minutes."""
    for name, server in servers.items():
        assert int(server.flags["grpc_max_threads"]) >= 512, name
        assert int(server.flags["rest_api_num_threads"]) >= 128, name
        assert server.flags["max_num_load_retries"] == "0", name
        assert int(server.flags["num_load_threads"]) >= 2, name
        assert not [flag for flag in server.flags if "label" in flag], name


def test_every_deployment_enables_batching_monitoring_and_warmup(servers):
    for name, server in servers.items():
        flags = server.flags
        assert flags["enable_batching"] == flags["enable_model_warmup"] == "true", name
        assert {"batching_parameters_file", "monitoring_config_file"} <= flags.keys(), name
        assert flags["enable_grpc_healthcheck_service"] == "true", name
        assert flags["tensorflow_intra_op_parallelism"] == "1", name


def test_a_flag_has_the_same_value_in_every_deployment(servers):
    own = {"port", "rest_api_port", "model_name", "model_base_path", *FILES}
    values = {}
    for server in servers.values():
        for flag in server.flags.keys() - own:
            values.setdefault(flag, set()).add(server.flags[flag])
    assert {flag: found for flag, found in values.items() if len(found) > 1} == {}


def test_ports_are_the_documented_ones(servers):
    for name, server in servers.items():
        assert (server.flags["port"], server.flags["rest_api_port"]) == PORTS.get(
            name, ("8500", "8501")
        ), name


def test_a_deployment_configures_models_by_file_or_by_folder(servers):
    for name, server in servers.items():
        from_file, from_folder = (
            "model_config_file" in server.flags,
            "model_base_path" in server.flags,
        )
        assert from_file != from_folder, name
        if from_file:  # it is read again only if an interval is given
            assert int(server.flags["model_config_file_poll_wait_seconds"]) > 0, name
    assert servers["kserve"].flags["model_base_path"] == "/mnt/models"


def test_the_image_has_one_version_and_starts_the_server_without_a_shell(servers, read):
    assert {server.image for server in servers.values()} == {
        f"tensorflow/serving:{VERSION}",
        None,
    }
    assert {server.program for server in servers.values()} == {"/usr/bin/tensorflow_model_server"}
    assert servers["systemd"].image is None


def test_files_named_by_flags_exist(servers, deploy):
    for name, server in servers.items():
        for flag in server.flags.keys() & set(FILES):
            folder, _, file = server.flags[flag].rpartition("/")
            assert folder == ("/etc/tfx-ner" if name == "systemd" else "/config"), name
            assert (deploy / "config" / file).is_file(), (name, file)


def test_images_are_pinned(read, deploy):
    found = set()
    for path in deploy.rglob("*.yaml"):
        found |= set(re.findall(r"image: (\S+)", path.read_text(encoding="utf-8")))
    assert found and all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in found), found


@pytest.mark.parametrize("deployment", ["kubernetes", "kserve"])
def test_probes_check_the_model_with_sufficient_timeouts(read, servers, deployment):
    """A loaded model has metadata; a server without a model must not be restarted."""
    if deployment == "kubernetes":
        container = read("kubernetes/base/deployment.yaml")[0]["spec"]["template"]["spec"][
            "containers"
        ][0]
        port, name = "rest", "ner"
        assert {
            "name": "rest",
            "containerPort": int(servers[deployment].flags["rest_api_port"]),
        } in container["ports"]
        assert {
            "name": "grpc",
            "containerPort": int(servers[deployment].flags["port"]),
        } in container["ports"]
    else:
        container = read("kserve/inferenceservice.yaml")[1]["spec"]["containers"][0]
        port, name = int(servers[deployment].flags["rest_api_port"]), "{{.Name}}"
        assert servers[deployment].flags["model_name"] == name
    asked = {"path": f"/v1/models/{name}/metadata", "port": port}
    assert container["startupProbe"]["httpGet"] == container["readinessProbe"]["httpGet"] == asked
    assert (
        container["livenessProbe"]["tcpSocket"] == {"port": port}
        and "httpGet" not in container["livenessProbe"]
    )
    startup = container["startupProbe"]
    assert (
        startup["periodSeconds"] * startup["failureThreshold"] > 301
    )  # when the server itself gives up a version that does not load, with its default flags


def test_a_pod_waits_for_requests_in_flight_before_it_stops(read):
    pod = read("kubernetes/base/deployment.yaml")[0]["spec"]["template"]["spec"]
    command, seconds = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep" and 5 <= int(seconds) < pod["terminationGracePeriodSeconds"] <= 30
    assert pod["shareProcessNamespace"]  # else the server would be process 1, which ignores SIGTERM


def test_compose_has_an_init_read_only_models_and_a_health_check(read):
    [compose] = read("compose/compose.yaml")
    for name in ("ner-stable", "ner-canary"):
        service = compose["services"][name]
        assert service["init"] and service["read_only"] and service["cap_drop"] == ["ALL"]
        mounts = {mount["target"]: mount for mount in service["volumes"]}
        assert mounts.keys() == {"/models", "/config"} and all(
            mount["read_only"] for mount in mounts.values()
        )
        assert service["healthcheck"]["test"] == [
            "CMD",
            "bash",
            "/config/ready.sh",
            MODELS[f"compose {name}"],
            "8501",
        ]
        # No authentication: other machines reach the server through Envoy only.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_every_key_is_part_of_the_compose_specification(read):
    [compose] = read("compose/compose.yaml")
    assert {key for key in compose if not key.startswith("x-")} <= {"name", "services", "volumes"}
    known = set(
        "image init entrypoint command restart stop_grace_period user read_only tmpfs cap_drop security_opt mem_limit"
        " healthcheck ports volumes profiles depends_on".split()
    )
    for service in compose["services"].values():
        assert service.keys() <= known
        for mount in service["volumes"]:
            assert mount.keys() <= {"type", "source", "target", "read_only", "bind"} and mount[
                "type"
            ] in (
                "bind",
                "volume",
            )
            if mount["type"] == "volume":
                assert mount["source"] in compose["volumes"]
        for other in service.get("depends_on", {}):
            assert "healthcheck" in compose["services"][other]
    assert compose["services"]["ner-stable"]["healthcheck"].keys() == {
        "test",
        "interval",
        "timeout",
        "retries",
        "start_period",
    }


def test_the_systemd_service_is_sandboxed(unit):
    for name in ("tensorflow-serving-ner.service", "tfx-ner-serve.service"):
        service = unit(name)["Service"]
        for key in (
            "DynamicUser",
            "NoNewPrivileges",
            "PrivateTmp",
            "PrivateDevices",
            "ProtectHome",
            "RestrictSUIDSGID",
        ):
            assert service[key] == ["yes"], (name, key)
        assert service["ProtectSystem"] == ["strict"] and service["CapabilityBoundingSet"] == [""]
        assert service["IPAddressDeny"] == ["any"] and service["IPAddressAllow"] == ["localhost"]
        # oneDNN generates machine code at run time.
        assert "MemoryDenyWriteExecute" not in service
        assert "/etc/tfx-ner/ready.sh ner 8501" in service["ExecStartPost"][0]
        assert int(service["TimeoutStartSec"][0]) > 301


def test_the_unit_of_the_development_server_uses_existing_options(unit):
    program, command, *arguments = shlex.split(
        unit("tfx-ner-serve.service")["Service"]["ExecStart"][0]
    )
    assert program.endswith("/tfx-ner") and command == "serve"
    given = {argument for argument in arguments if argument.startswith("--")}
    assert given <= {option for parameter in serve.params for option in parameter.opts}


@pytest.mark.parametrize("name", ["tensorflow-serving-ner.service", "tfx-ner-serve.service"])
def test_systemd_accepts_the_unit(deploy, tmp_path, name):
    """With an existing program in place of the server, because systemd checks that it exists."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze: Debian's package systemd")
    text = (deploy / "systemd" / name).read_text(encoding="utf-8")
    unit = tmp_path / name
    unit.write_text(
        re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8"
    )
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and name not in ran.stderr, ran.stderr
