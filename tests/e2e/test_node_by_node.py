"""A run that stops early, as a step on Kubeflow: the container's own command in a process, and what it leaves."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from pipeline.nodes import LAST, NODES, RESOLVERS
from tests.e2e.conftest import ROOT
from tests.e2e.program import LONGEST, SMALL, environment

pytestmark = pytest.mark.slow

BESIDE = ROOT / ".venv-kubeflow"


def a_step(teller):
    """Compiles the pipeline, runs its first step as Kubeflow would, and looks at the work folder."""
    folder, work, data = (
        teller.folder,
        teller.folder / "work",
        teller.corpus("data", train=60, dev=20, test=20),
    )
    file, program = folder / "ner.yaml", folder / "bin" / "tfx-ner"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m pipeline.cli "$@"\n')
    program.chmod(0o755)
    places = ("--data", data, "--workdir", work, "--kfp-python", BESIDE / "bin" / "python")
    compiled = teller.program.command(
        "compile", "--target", "kubeflow", "--image", "ner:1", "--output", file, *places, *SMALL
    )
    if compiled.code:
        return compiled, None, None, None
    pipeline, _ = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    container = pipeline["deploymentSpec"]["executors"]["exec-data"]["container"]
    ran = subprocess.run(
        [*container["command"], *container["args"]],
        env={**environment(), "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    runs = teller.program.command("runs", "--json", "-", "--workdir", work)
    return compiled, ran, runs, teller.program.command("runs", "verify", "--workdir", work)


# Without kfp there is no story to tell.
STORIES = {"a step": a_step} if (BESIDE / "setup.stamp").exists() else {}


@pytest.fixture
def step(told):
    if not STORIES:
        pytest.skip("kfp is not installed: make kubeflow installs it in .venv-kubeflow")
    return told("a step")


def test_a_step_does_its_part_and_says_what_comes_next(step):
    compiled, ran, _, _ = step
    assert compiled.code == 0, compiled
    assert ran.returncode == 0, ran
    assert (
        "Stopped after DataGate, as --until asks. Nothing is published; the next step is Transform."
        in ran.stdout
    )


def test_the_history_tells_such_a_run_and_finds_nothing_amiss(step):
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


def test_the_nodes_that_a_run_may_stop_after_are_those_of_the_graph(stories):
    nodes = [node for node in stories.first().result.nodes if node not in RESOLVERS]
    assert nodes == [*NODES, *LAST]
