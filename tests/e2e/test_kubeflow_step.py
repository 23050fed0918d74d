"""A step of the Kubeflow pipeline: its container's command in a local process, and the records in the workdir."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from pipeline.nodes import LAST, NODES, RESOLVERS
from tests.e2e.conftest import ROOT
from tests.e2e.program import SMALL_MODEL, TIMEOUT, environment

pytestmark = pytest.mark.slow

KFP_ENVIRONMENT = ROOT / ".venv-kubeflow"


def run_first_step(context):
    """Compiles the pipeline, runs the command of its first step, and reads the run history."""
    folder, work, data = (
        context.folder,
        context.folder / "work",
        context.make_corpus("data", train=60, dev=20, test=20),
    )
    file, program = folder / "ner.yaml", folder / "bin" / "tfx-ner"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m pipeline.cli "$@"\n')
    program.chmod(0o755)
    options = (
        "--data",
        data,
        "--workdir",
        work,
        "--kfp-python",
        KFP_ENVIRONMENT / "bin" / "python",
    )
    compiled = context.program.command(
        "compile",
        "--target",
        "kubeflow",
        "--image",
        "ner:1",
        "--output",
        file,
        *options,
        *SMALL_MODEL,
    )
    if compiled.code:
        return compiled, None, None, None
    pipeline, _ = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    container = pipeline["deploymentSpec"]["executors"]["exec-data"]["container"]
    completed = subprocess.run(
        [*container["command"], *container["args"]],
        env={**environment(), "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    runs = context.program.command("runs", "--json", "-", "--workdir", work)
    return compiled, completed, runs, context.program.command("runs", "verify", "--workdir", work)


SCENARIOS = {"first step": run_first_step} if (KFP_ENVIRONMENT / "setup.stamp").exists() else {}


@pytest.fixture
def step(scenario_result):
    if not SCENARIOS:
        pytest.skip("kfp is not installed: make kubeflow installs it in .venv-kubeflow")
    return scenario_result("first step")


def test_a_step_stops_after_its_last_node_and_names_the_next_step(step):
    compiled, completed, _, _ = step
    assert compiled.code == 0, compiled
    assert completed.returncode == 0, completed
    assert (
        "Stopped after DataGate (--until). Nothing is published; the next node is Transform."
        in completed.stdout
    )


def test_the_history_records_a_partial_run_and_verify_finds_no_faults(step):
    *_, runs, verified = step
    [run] = json.loads(runs.out)["runs"]
    assert (run["verdict"], run["until"], run["because"], run["version"]) == (
        "up to DataGate",
        "DataGate",
        "Kubeflow",
        "",
    )
    done = [node["node"] for node in run["nodes"] if node["node"] not in RESOLVERS]
    assert done == list(NODES[: NODES.index("DataGate") + 1])
    assert verified.code == 0 and "no faults" in verified.out


def test_the_node_names_of_until_are_those_of_the_graph(scenarios):
    nodes = [node for node in scenarios.first().result.nodes if node not in RESOLVERS]
    assert nodes == [*NODES, *LAST]
