"""`make demo`: the starter corpus with the default settings, and its model in a fresh process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Program, versions_in
from tests.e2e.test_published_model import LOAD_MODEL

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Maria Lopez works for Siemens in Berlin."


def run_demo(context):
    """Runs the demo; returns its result and the published version's folder."""
    work = context.folder / "work"
    result = Program(ROOT).command("run", "--workdir", work)
    assert result.code == 0, result
    [version] = versions_in(work)
    return {"result": result, "version": work / "serving" / "ner" / version}


SCENARIOS = {"demo": run_demo}


@pytest.fixture
def version(scenario_result):
    return scenario_result("demo")["version"]


def test_the_demo_reaches_an_f1_of_0_85_on_dev(version):
    card = json.loads((version / "assets.extra" / "ner.json").read_text(encoding="utf-8"))
    assert card["dev"]["f1"] > 0.85


def test_the_model_loads_in_a_process_without_the_project(version):
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", LOAD_MODEL, version, json.dumps([TEXT, ""])],
        cwd="/",
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    answer = json.loads(loaded.stdout)
    assert answer["foreign"] == []
    assert answer["predicted"]["count"][0] >= 1 and answer["predicted"]["count"][1] == 0
