"""Envoy's routes."""

import re
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def envoy(read):
    [document] = read("envoy/envoy.yaml")
    return document


@pytest.fixture(scope="module")
def manager(envoy):
    [listener] = envoy["static_resources"]["listeners"]
    [chain] = listener["filter_chains"]
    [network_filter] = chain["filters"]
    return network_filter["typed_config"]


@pytest.fixture(scope="module")
def routes(manager):
    [host] = manager["route_config"]["virtual_hosts"]
    return host["routes"]


def reached(routes, path, grpc, headers=()):
    """The clusters that a path is routed to."""
    for route in routes:
        match = route["match"]
        wanted = {one["name"]: one["string_match"]["exact"] for one in match.get("headers", [])}
        if not wanted.items() <= dict(headers).items():
            continue
        fits = (
            path == match["path"]
            if "path" in match
            else re.fullmatch(match["safe_regex"]["regex"], path)
        )
        if fits and (grpc or "grpc" not in match):
            weighted = route["route"].get("weighted_clusters")
            return (
                [one["name"] for one in weighted["clusters"]]
                if weighted
                else [route["route"]["cluster"]]
            )
    return None


GRPC, REST = ["grpc_stable", "grpc_canary"], ["rest_stable", "rest_canary"]


@pytest.mark.parametrize(
    "path, clusters",
    [
        ("/tensorflow.serving.PredictionService/Predict", GRPC),
        ("/tensorflow.serving.PredictionService/GetModelMetadata", GRPC),
        ("/tensorflow.serving.ModelService/GetModelStatus", ["grpc_stable"]),
        ("/tensorflow.serving.ModelService/HandleReloadConfigRequest", None),
        ("/tensorflowXservingXPredictionService/Predict", None),
        ("/v1/models/ner", REST),
        ("/v1/models/ner:predict", REST),
        ("/v1/models/ner/metadata", REST),
        ("/v1/models/ner-canary:predict", ["rest_canary"]),
        ("/v1/models/ner-canary/metadata", ["rest_canary"]),
        ("/v1/models/ner/labels/canary:predict", None),
        ("/v1/models/ner/versions/1:predict", None),
        ("/v1/models/nerd:predict", None),
        ("/v1/models/other", None),
        ("/monitoring/prometheus/metrics", None),
        ("/", None),
    ],
)
def test_only_requests_to_the_model_pass(routes, path, clusters):
    assert reached(routes, path, grpc=path.startswith("/tensorflow")) == clusters


def test_grpc_requests_choose_the_canary_by_metadata(routes):
    path = "/tensorflow.serving.PredictionService/Predict"
    assert reached(routes, path, True, {"ner-model": "ner-canary"}.items()) == ["grpc_canary"]
    assert reached(routes, path, True, {"ner-model": "ner"}.items()) == GRPC


def test_weights_sum_to_100_and_are_the_same_for_grpc_and_rest(routes):
    shares = [
        [one["weight"] for one in route["route"]["weighted_clusters"]["clusters"]]
        for route in routes
        if "weighted_clusters" in route["route"]
    ]
    assert len(shares) == 2 and shares[0] == shares[1] and sum(shares[0]) == 100


def test_clusters_are_the_servers_of_compose_and_of_kubernetes(envoy, routes, servers, read):
    port = {"grpc": 8500, "rest": 8501}
    for kind, flag in (("grpc", "port"), ("rest", "rest_api_port")):
        assert {
            servers[name].flags[flag]
            for name in ("compose ner-stable", "compose ner-canary", "kubernetes")
        } == {str(port[kind])}
    found = {cluster["name"]: cluster for cluster in envoy["static_resources"]["clusters"]}
    assert found.keys() == {*GRPC, *REST}
    hosts = read("compose/compose.yaml")[0]["services"].keys()
    for name, cluster in found.items():
        kind, track = name.split("_")
        [endpoints] = cluster["load_assignment"]["endpoints"]
        [endpoint] = endpoints["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        assert (
            address == {"address": f"ner-{track}", "port_value": port[kind]}
            and address["address"] in hosts
        )
        assert cluster["load_assignment"]["cluster_name"] == name
        # gRPC needs HTTP/2; the health check uses REST.
        assert ("typed_extension_protocol_options" in cluster) == (kind == "grpc")
        asked = endpoint["endpoint"].get(
            "health_check_config", {"port_value": address["port_value"]}
        )
        assert asked == {"port_value": port["rest"]}
        [check] = cluster["health_checks"]
        assert check["http_health_check"]["path"] == "/v1/models/ner/metadata"


def test_every_external_listener_requires_tls(envoy):
    [listener] = envoy["static_resources"]["listeners"]
    for chain in listener["filter_chains"]:
        context = chain["transport_socket"]["typed_config"]
        assert context["@type"].endswith("tls.v3.DownstreamTlsContext")
        assert (
            context["common_tls_context"]["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"
        )
    assert envoy["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_requests_have_a_size_limit_and_a_timeout(manager, routes, servers):
    filters = {one["name"]: one["typed_config"] for one in manager["http_filters"]}
    assert list(filters)[-1] == "envoy.filters.http.router"
    assert (
        filters["envoy.filters.http.buffer"]["max_request_bytes"] >= 4 * 2**20
    )  # what a gRPC client sends at most
    longest = int(servers["kubernetes"].flags["rest_api_timeout_in_ms"]) / 1000
    assert {float(route["route"]["timeout"].removesuffix("s")) <= longest for route in routes} == {
        True
    }


def test_envoy_accepts_the_configuration(deploy, tmp_path):
    if not (shutil.which("envoy") and shutil.which("openssl")):
        pytest.skip("needs envoy and openssl")
    key, certificate = tmp_path / "server.key", tmp_path / "server.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            certificate,
        ]
        + ["-days", "1", "-subj", "/CN=localhost"],
        check=True,
        capture_output=True,
    )
    config = tmp_path / "envoy.yaml"
    text = (deploy / "envoy/envoy.yaml").read_text(encoding="utf-8")
    config.write_text(text.replace("/etc/certificates", str(tmp_path)), encoding="utf-8")
    ran = subprocess.run(
        ["envoy", "--mode", "validate", "-c", config], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
