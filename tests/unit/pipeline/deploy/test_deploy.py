"""The deployment files of the schedule: systemd, Kubernetes and Airflow call existing options."""

import contextlib
import itertools
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path
from unittest import mock

import pytest
import yaml

import pipeline
from pipeline import config, durations, exits
from pipeline.commands.schedule import schedule
from pipeline.nodes import STEPS
from tests.unit.kubernetes_types import faults, kind_of

DEPLOY = Path(pipeline.__file__).parent / "deploy"
UNITS = ("tfx-ner-schedule.service", "tfx-ner-retrain.service")
SETTINGS = "/etc/tfx-ner/ner.yaml"


@pytest.fixture(scope="module")
def unit():
    """A systemd unit as `{key: [values]}`, sections aside."""

    def parse(name):
        values = {}
        for line in (DEPLOY / "systemd" / name).read_text(encoding="utf-8").splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                values.setdefault(key, []).append(value)
        return values

    return parse


@pytest.fixture(scope="module")
def settings():
    return config.load(str(DEPLOY / "config" / "ner.yaml"), [], {})


@pytest.fixture(scope="module")
def cron_job():
    return yaml.safe_load((DEPLOY / "kubernetes" / "cronjob.yaml").read_text(encoding="utf-8"))[
        "spec"
    ]


@pytest.fixture(scope="module")
def dag():
    """The arguments of the DAG and of its tasks in order, recorded by a fake Airflow."""
    operators, dags, order = [], [], []

    class Operator:
        def __init__(self, **given):
            self.given = given
            operators.append(given)

        def __rshift__(self, after):
            order.append((self.given["task_id"], after.given["task_id"]))

    @contextlib.contextmanager
    def played(**given):
        dags.append(given)
        yield

    bash, sdk = types.ModuleType("bash"), types.ModuleType("sdk")
    bash.BashOperator, sdk.DAG = Operator, played
    modules = {
        "airflow": None,
        "airflow.providers.standard.operators.bash": bash,
        "airflow.sdk": sdk,
    }
    with mock.patch.dict(sys.modules, modules):
        runpy.run_path(str(DEPLOY / "airflow" / "tfx_ner_retrain.py"))
    assert order == list(itertools.pairwise(task["task_id"] for task in operators))
    [particulars] = dags
    return particulars, operators


def commands(unit, cron_job, dag):
    [container] = cron_job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return {
        **{name: shlex.split(unit(name)["ExecStart"][0]) for name in UNITS},
        "kubernetes": container["command"],
        **{
            f"airflow {task['task_id']}": shlex.split(task["bash_command"].removeprefix("exec "))
            for task in dag[1]
        },
    }


def test_every_deployment_calls_schedule_with_valid_options(unit, cron_job, dag):
    known = {
        option
        for command in schedule.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    for where, (program, command, *arguments) in commands(unit, cron_job, dag).items():
        assert program.rpartition("/")[2] == "tfx-ner" and command == "schedule", where
        assert {argument for argument in arguments if argument.startswith("--")} <= known, where
        assert arguments[arguments.index("--config") + 1] == SETTINGS, where
        assert sum(one in arguments for one in ("--once", "--cron", "look")) == 1, where


def test_the_dag_has_a_look_task_and_a_task_for_each_step(dag):
    look, *steps = dag[1]
    assert look["task_id"] == "look" and " schedule look " in look["bash_command"]
    stops = {task["task_id"]: re.findall(r"--until (\w+)", task["bash_command"]) for task in steps}
    assert stops == {name: [until] if until else [] for name, until in STEPS.items()}


def test_the_deployed_configuration_is_valid(settings):
    assert (settings.data, settings.workdir) == ("/srv/tfx-ner/data", "/srv/tfx-ner/work")
    assert settings.spans.marker == "_SUCCESS"


def test_services_and_jobs_allow_the_grace_period_and_the_time_limit(unit, cron_job, dag, settings):
    grace = durations.seconds(settings.schedule.grace)
    longest = (settings.schedule.retries + 1) * durations.seconds(settings.schedule.limit)
    assert all(int(unit(name)["TimeoutStopSec"][0]) > grace for name in UNITS)
    assert unit("tfx-ner-retrain.service")["TimeoutStartSec"] == ["infinity"]
    job = cron_job["jobTemplate"]["spec"]
    assert job["template"]["spec"]["terminationGracePeriodSeconds"] > grace
    assert job["activeDeadlineSeconds"] > longest
    assert all(task["execution_timeout"].total_seconds() > longest for task in dag[1])


def test_a_refused_model_is_not_a_failure_and_bad_data_is_not_retried(unit, cron_job, dag):
    assert unit("tfx-ner-retrain.service")["SuccessExitStatus"] == [str(exits.REFUSED)]
    assert unit("tfx-ner-schedule.service")["RestartPreventExitStatus"] == [str(exits.BAD_INPUT)]
    rules = cron_job["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    actions = {
        code: rule["action"]
        for rule in rules
        for code in rule.get("onExitCodes", {}).get("values", ())
    }
    assert actions == {exits.REFUSED: "Ignore", exits.BAD_INPUT: "FailJob"}
    assert cron_job["concurrencyPolicy"] == "Forbid"
    for task in dag[1]:
        assert (task["skip_on_exit_code"], task["retries"]) == (
            [exits.REFUSED, exits.NOTHING_NEW],
            0,
        )


def test_the_pod_mounts_the_folders_of_the_settings(cron_job, settings):
    pod = cron_job["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {settings.data, settings.workdir, str(Path(SETTINGS).parent), "/tmp"} == set(mounts)
    assert mounts[settings.data]["readOnly"] and "readOnly" not in mounts[settings.workdir]
    assert {mount["name"] for mount in mounts.values()} == {
        volume["name"] for volume in pod["volumes"]
    }
    claims = {
        one["metadata"]["name"]
        for one in yaml.safe_load_all((DEPLOY / "kubernetes" / "storage.yaml").read_text())
    }
    assert claims == {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }


def test_the_units_allow_writing_to_the_workdir_only(unit, settings):
    for name in UNITS:
        service = unit(name)
        assert service["ProtectSystem"] == ["strict"] and service["ReadWritePaths"] == [
            settings.workdir
        ]
        assert service["KillMode"] == ["mixed"] and service["User"] == ["tfx-ner"]


@pytest.mark.parametrize("name", [*UNITS, "tfx-ner-retrain.timer"])
def test_systemd_accepts_the_unit(tmp_path, name):
    """With an existing program in place of tfx-ner, because systemd checks that it exists."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze: Debian's package systemd")
    for path in (DEPLOY / "systemd").iterdir():
        text = re.sub(
            r"^ExecStart=\S+",
            "ExecStart=/bin/true",
            path.read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / name)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0 and "tfx-ner" not in ran.stderr, ran.stderr


def test_kustomize_builds_it():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    ran = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    built = {one["kind"]: one for one in yaml.safe_load_all(ran.stdout)}
    assert [
        fault for one in built.values() for fault in faults(one, kind_of(one), one["kind"])
    ] == []
    assert built.keys() == {"ConfigMap", "PersistentVolumeClaim", "CronJob"}
    pod = built["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"registry.example.org/tfx-ner:{pipeline.__version__}"
    [config_volume] = [volume for volume in pod["volumes"] if volume["name"] == "config"]
    assert config_volume["configMap"]["name"] == built["ConfigMap"]["metadata"]["name"]
    assert list(built["ConfigMap"]["data"]) == [Path(SETTINGS).name]


READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
[dag] = bag.dags.values()
print(json.dumps([
    bag.import_errors, dag.dag_id, dag.schedule, str(dag.timezone), dag.catchup, dag.max_active_runs,
    [[task.task_id, type(task).__name__, task.retries, task.skip_on_exit_code, sorted(task.upstream_task_ids)]
     for task in dag.topological_sort()],
]))
"""


def test_airflow_reads_the_dag(tmp_path):
    python = Path(pipeline.__file__).parents[1] / ".venv-airflow" / "bin" / "python"
    if not python.exists():
        pytest.skip("Airflow is not installed: make airflow installs it in .venv-airflow")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path)}
    command = [python, "-c", READ, DEPLOY / "airflow"]
    ran = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == [
        *({}, "tfx_ner_retrain", "0 2 * * *", "UTC", False, 1),
        [
            [
                name,
                "BashOperator",
                0,
                [exits.REFUSED, exits.NOTHING_NEW],
                [before] if before else [],
            ]
            for before, name in itertools.pairwise([None, "look", *STEPS])
        ],
    ]


def test_the_dockerfile_copies_existing_files_and_runs_as_a_user():
    """Checked without Docker: copied files exist, the entry point is the program, and the user is not root."""
    root = DEPLOY.parents[1]
    instructions = [
        line.split(maxsplit=1)
        for line in (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    given = dict(instructions)
    assert {rest.split()[0] for name, rest in instructions if name == "FROM"} == {
        "python:3.12-slim-trixie"
    }
    assert json.loads(given["ENTRYPOINT"]) == ["tfx-ner"] and given["USER"] == "10001:10001"
    kept = [
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    assert all((root / name).exists() for name in kept)
    copied = [
        rest.split()[:-1]
        for name, rest in instructions
        if name == "COPY" and not rest.startswith("--from=")
    ]
    assert copied == [["requirements/tfx-1.21.txt"], ["."]]
    assert {
        "pipeline",
        "components",
        "serving",
        "setup.py",
        "requirements/runtime.in",
        *copied[0],
    } <= set(kept)
    assert any(
        "--require-hashes --requirement requirements/tfx-1.21.txt" in rest
        for _, rest in instructions
    )
