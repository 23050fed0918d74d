"""`tfx-ner compile`: the compiled file and the pipeline that kfp loads from it."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline import kubeflow
from pipeline.config import Schedule
from pipeline.kubeflow import recurring_run_command
from pipeline.nodes import STEPS

BESIDE = Path(__file__).resolve().parents[4] / ".venv-kubeflow"
PLACES = ("--data", "/srv/ner/data", "--workdir", "/srv/ner/work")
IMAGE = "registry.example.org/tfx-ner:1"
# Loads the file as a component, as a submitting client does, and compiles it again as a step of another pipeline.
LOAD = """
import json, sys
from kfp import components, compiler, dsl
loaded = components.load_component_from_file(sys.argv[1])
@dsl.pipeline(name="outer")
def outer():
    loaded()
compiler.Compiler().compile(outer, sys.argv[1] + ".outer.yaml")
spec = loaded.pipeline_spec
print(json.dumps([spec.pipeline_info.name, sorted(spec.root.dag.tasks), sorted(loaded.platform_spec.platforms)]))
"""
OPTIONS = """
import json
from kfp.cli.recurring_run import create
print(json.dumps([option for parameter in create.params for option in parameter.opts + parameter.secondary_opts]))
"""


@pytest.fixture
def kfp():
    if not (BESIDE / "setup.stamp").exists():
        pytest.skip("kfp is not installed: make kubeflow installs it in .venv-kubeflow")

    def run(program, *arguments):
        command = [BESIDE / "bin" / "python", "-W", "ignore", "-c", program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def compile_(tfx_ner, file, *more):
    return tfx_ner(
        "compile", "--target", "kubeflow", "--image", IMAGE, *PLACES, "--output", file, *more
    )


def test_kfp_loads_the_compiled_file(kfp, tfx_ner, tmp_path):
    file = tmp_path / "ner.yaml"
    answer = compile_(
        tfx_ner, file, "--set", "kubeflow.train.gpu=1", "--set", "kubeflow.secret=ner-metadata"
    )
    assert (answer.code, answer.out.splitlines()[0]) == (
        0,
        f"{file}: {', '.join(STEPS)}, in {IMAGE}",
    )
    assert kfp(LOAD, file) == ["tfx-ner", sorted(STEPS), ["kubernetes"]]

    pipeline, platform = yaml.safe_load_all(file.read_text())
    tasks = pipeline["root"]["dag"]["tasks"]
    after = {name: task.get("dependentTasks", []) for name, task in tasks.items()}
    assert after == {
        name: [before] if before else [] for before, name in zip([None, *STEPS], STEPS)
    }
    assert not any(task["cachingOptions"] for task in tasks.values())
    run_by = {
        name.removeprefix("exec-"): one["container"]
        for name, one in pipeline["deploymentSpec"]["executors"].items()
    }
    assert {one["image"] for one in run_by.values()} == {IMAGE}
    for name, until in STEPS.items():
        assert run_by[name]["args"][-2:] == (
            ["--until", until] if until else ["--reason", "Kubeflow"]
        )
        assert run_by[name]["env"] == [{"name": "HOME", "value": "/tmp"}]
        assert run_by[name]["resources"]["resourceMemoryLimit"] == "4Gi"
        assert ("accelerator" in run_by[name]["resources"]) == (name == "train")
    assert run_by["train"]["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
    for one in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        mounts = {mount["mountPath"]: mount["constant"] for mount in one["pvcMount"]}
        assert mounts == {"/srv/ner/data": "ner-data", "/srv/ner/work": "ner-work"}
        [secret] = one["secretAsEnv"]
        assert (secret["secretName"], secret["keyToEnv"]) == (
            "ner-metadata",
            [{"secretKey": "password", "envVar": "TFX_NER_METADATA_PASSWORD"}],
        )


def test_the_command_for_a_recurring_run_is_one_of_kfps(kfp):
    program, *arguments = shlex.split(
        recurring_run_command("ner.yaml", Schedule(cron="0 3 * * mon"))
    )
    assert (program, arguments[:2]) == ("kfp", ["recurring-run", "create"])
    assert {one for one in arguments if one.startswith("--")} <= set(kfp(OPTIONS))
    assert arguments[arguments.index("--cron-expression") + 1] == "0 0 3 * * mon"


def test_times_between_runs_are_given_in_seconds():
    assert "--interval-second 21600 " in recurring_run_command("ner.yaml", Schedule(every="6h"))


def test_a_refused_model_is_not_a_failure_of_the_last_step(tmp_path):
    from pipeline import config
    from pipeline.kubeflow import make_plan

    [*_, last] = make_plan(
        config.load(None, ["kubeflow.image=ner:1"], {"workdir": "/srv/ner/work"})
    ).tasks
    program = tmp_path / "tfx-ner"
    program.write_text('#!/bin/sh\necho "$@"\nexit "$CODE"\n')
    program.chmod(0o755)
    for code, expected in ((0, 0), (1, 1), (2, 2), (3, 0)):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CODE": str(code)}
        done = subprocess.run(
            [*last.command, *last.arguments], env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout.split()) == (expected, list(last.arguments))


def test_a_failed_compilation_does_not_change_an_existing_file(tfx_ner, tmp_path):
    file = tmp_path / "ner.yaml"
    file.write_text("mine")
    answer = compile_(tfx_ner, file, "--kfp-python", "/nowhere/python")
    assert (answer.code, file.read_text()) == (2, "mine")
    assert "--kfp-python /nowhere/python: cannot be run (No such file or directory)" in answer.err


def test_a_python_without_kfp_is_reported(tfx_ner, tmp_path):
    answer = compile_(tfx_ner, tmp_path / "ner.yaml", "--kfp-python", "/usr/bin/python3")
    assert answer.code == 2 and "has no kfp and kfp-kubernetes" in answer.err


def test_a_missing_kfp_environment_is_reported_with_its_make_target(tfx_ner, tmp_path, monkeypatch):
    monkeypatch.setattr(kubeflow, "_KFP_ENVIRONMENT", tmp_path)
    answer = compile_(tfx_ner, tmp_path / "ner.yaml")
    assert answer.code == 2 and "expected `make kubeflow`" in answer.err


def test_an_output_name_that_kubeflow_refuses_is_refused(tfx_ner, tmp_path):
    answer = compile_(tfx_ner, tmp_path / "ner.json")
    assert answer.code == 2 and "expected a name that ends with .yaml" in answer.err
