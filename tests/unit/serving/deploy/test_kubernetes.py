"""The Kubernetes manifests, validated with the types of the official client."""

import shutil
import subprocess

import pytest
import yaml

from tests.unit.kubernetes_types import faults, kind_of

MANIFESTS = (
    "kubernetes/namespace.yaml kubernetes/storage.yaml kubernetes/network.yaml kubernetes/service.yaml"
    " kubernetes/base/deployment.yaml kubernetes/base/service.yaml kubernetes/stable/autoscaling.yaml"
    " kubernetes/stable/disruption.yaml"
).split()


@pytest.mark.parametrize("path", MANIFESTS)
def test_a_manifest_is_valid_for_its_kind(read, path):
    for manifest in read(path):
        assert faults(manifest, kind_of(manifest), manifest["kind"]) == []


def test_a_misspelled_or_missing_field_is_detected(read):
    [deployment] = read("kubernetes/base/deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0]["readynessProbe"] = {}
    pod["terminationGracePeriodSeconds"] = "25"
    del deployment["spec"]["selector"]
    errors = "\n".join(faults(deployment, "V1Deployment", "Deployment"))
    assert (
        "unknown field readynessProbe" in errors
        and "'25' is no int" in errors
        and "selector" in errors
    )


def test_the_pods_of_kserve_are_valid(read):
    kinds = {manifest["kind"]: manifest for manifest in read("kserve/inferenceservice.yaml")}
    assert faults(kinds["ConfigMap"], "V1ConfigMap", "ConfigMap") == []
    runtime = kinds["ServingRuntime"]["spec"]
    for container in runtime["containers"]:
        assert faults(container, "V1Container", "container") == []
    for volume in runtime["volumes"]:
        assert faults(volume, "V1Volume", "volume") == []
    model = kinds["InferenceService"]["spec"]["predictor"]["model"]
    assert model["runtime"] == kinds["ServingRuntime"]["metadata"]["name"]
    assert model["modelFormat"].items() <= runtime["supportedModelFormats"][0].items()
    assert 0 <= kinds["InferenceService"]["spec"]["predictor"]["canaryTrafficPercent"] <= 100
    assert model["storageUri"].startswith("pvc://ner-published/")


def test_a_pod_has_minimal_privileges(read):
    pod = read("kubernetes/base/deployment.yaml")[0]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {
        mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]
    }
    assert mounts == {"/models": True, "/config": True, "/tmp": False}


def test_services_and_policies_name_ports_of_the_pod(read):
    [deployment] = read("kubernetes/base/deployment.yaml")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for path in ("kubernetes/base/service.yaml", "kubernetes/service.yaml"):
        for port in read(path)[0]["spec"]["ports"]:
            assert (
                ports[port["targetPort"]] == port["port"] and port["name"] == port["targetPort"]
            ), path
    for rule in read("kubernetes/network.yaml")[0]["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= ports.keys()
    assert read("kubernetes/base/service.yaml")[0]["spec"]["clusterIP"] == "None"  # headless


def test_the_network_policy_denies_unlisted_traffic(read):
    spec = read("kubernetes/network.yaml")[0]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"] and spec["egress"] == []
    assert all(rule["from"] and rule["ports"] and all(rule["from"]) for rule in spec["ingress"])


def test_there_are_more_replicas_than_may_be_unavailable(read):
    [scaler], [budget] = (
        read("kubernetes/stable/autoscaling.yaml"),
        read("kubernetes/stable/disruption.yaml"),
    )
    assert scaler["spec"]["minReplicas"] > budget["spec"]["maxUnavailable"] >= 1
    [deployment] = read("kubernetes/base/deployment.yaml")
    assert "replicas" not in deployment["spec"]  # else each apply would undo the autoscaler
    assert "cpu" in deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]


@pytest.fixture(scope="module")
def built(deploy):
    """The manifests that kustomize builds from a folder, by kind and name."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")

    def build(folder):
        ran = subprocess.run(
            ["kubectl", "kustomize", str(deploy / folder)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        return {
            (one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(ran.stdout)
        }

    return build


def test_kustomize_builds_two_tracks_with_disjoint_selectors(built):
    stable, canary = built("kubernetes"), built("kubernetes/canary")
    for track, manifests in (("stable", stable), ("canary", canary)):
        for manifest in manifests.values():
            if "monitoring.coreos.com" not in manifest["apiVersion"]:
                assert faults(manifest, kind_of(manifest), manifest["kind"]) == []
            assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "ner"
        deployment, service = (
            manifests["Deployment", f"ner-{track}"],
            manifests["Service", f"ner-{track}"],
        )
        assert (
            deployment["spec"]["selector"]["matchLabels"]["track"]
            == service["spec"]["selector"]["track"]
            == track
        )
        assert deployment["spec"]["template"]["metadata"]["labels"]["track"] == track
        configs = {
            source["configMap"]["name"]
            for volume in deployment["spec"]["template"]["spec"]["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        }
        assert (
            configs == {name for kind, name in manifests if kind == "ConfigMap"}
            and f"ner-models-{track}" in configs
        )
    assert (
        stable["HorizontalPodAutoscaler", "ner-stable"]["spec"]["scaleTargetRef"]["name"]
        == "ner-stable"
    )
    assert (
        stable["PodDisruptionBudget", "ner-stable"]["spec"]["selector"]["matchLabels"]["track"]
        == "stable"
    )
    assert "ner-canary" in canary["ConfigMap", "ner-models-canary"]["data"]["models.config"]
    for manifests, name in ((stable, "ner-stable"), (canary, "ner-canary")):
        [container] = manifests["Deployment", name]["spec"]["template"]["spec"]["containers"]
        path = f"/v1/models/{'ner' if manifests is stable else name}/metadata"
        for probe in ("startupProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["path"] == path
    # Metrics come through the headless Services, which carry the track; the one for REST has none.
    selector = stable["ServiceMonitor", "ner"]["spec"]["selector"]["matchExpressions"]
    for name, chosen in (("ner-stable", True), ("ner", False)):
        labels = stable["Service", name]["metadata"].get("labels", {})
        assert chosen == all(
            one["key"] in labels
            and (one["operator"] == "Exists" or labels[one["key"]] in one["values"])
            for one in selector
        )
