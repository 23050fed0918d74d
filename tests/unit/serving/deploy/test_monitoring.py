"""Metrics, alerts, and the documentation that alerts refer to."""

import re
import shutil
import subprocess

import pytest

from serving.server.metrics import Metrics


@pytest.fixture(scope="module")
def alerts(read):
    [document] = read("prometheus/alerts.yml")
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_every_metric_in_an_alert_is_exported_by_the_server(alerts):
    """Metric names begin with a colon; the development server exports them under TensorFlow Serving's names."""
    exported = set(re.findall(r"^# TYPE (\S+) ", Metrics().text().decode(), re.MULTILINE))
    named = set()
    for rule in alerts:
        named |= set(re.findall(r":tensorflow:[a-zA-Z0-9_:]+", rule["expr"]))
    assert len(named) >= 5
    assert {
        re.sub(r"_(bucket|count|sum)$", "", name) if "latency" in name else name for name in named
    } <= exported


def test_every_metric_in_an_expression_begins_with_a_colon(alerts):
    for rule in alerts:
        assert not re.search(r"(?<![:\w])tensorflow:", rule["expr"]), rule["alert"]


def test_alerts_refer_to_existing_headings(alerts, headings):
    named = {
        heading
        for rule in alerts
        for heading in re.findall(r'README\.md, "([^"]+)"', rule["annotations"]["description"])
    }
    assert named and named <= set(headings)
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in alerts)


def test_kubernetes_has_the_alerts_of_prometheus(read):
    [rule] = read("kubernetes/alerts.yaml")
    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rule["spec"] == read("prometheus/alerts.yml")[0]


def test_prometheus_scrapes_the_servers_of_compose(read, servers):
    [compose], [prometheus] = read("compose/compose.yaml"), read("prometheus/prometheus.yml")
    [job] = prometheus["scrape_configs"]
    targets = {
        target: one["labels"]["track"] for one in job["static_configs"] for target in one["targets"]
    }
    port = servers["compose ner-stable"].flags["rest_api_port"]
    assert targets == {f"ner-{track}:{port}": track for track in ("stable", "canary")}
    assert {target.partition(":")[0] for target in targets} <= compose["services"].keys()
    assert job["job_name"] == "ner" and prometheus["rule_files"] == ["alerts.yml"]


@pytest.mark.parametrize(
    "command", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_promtool_accepts(deploy, command):
    """The second file tests the alerts on synthetic series."""
    if not shutil.which("promtool"):
        pytest.skip("needs promtool: Debian's package prometheus")
    ran = subprocess.run(
        ["promtool", *command],
        cwd=deploy / "prometheus",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_has_a_test_that_fires_and_one_that_does_not(read, alerts):
    [tests] = read("prometheus/alerts_test.yml")
    quiet, loud = set(), set()
    for group in tests["tests"]:
        for case in group["alert_rule_test"]:
            (loud if case.get("exp_alerts") else quiet).add(case["alertname"])
    assert quiet == loud == {rule["alert"] for rule in alerts}
