"""What starts the schedule elsewhere: systemd, Kubernetes and Airflow call the command line with options that it has."""

import ast
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import pipeline
from pipeline import config, durations, exits
from pipeline.commands.schedule import schedule
from tests.unit.kubernetes_types import faults, kind_of

DEPLOY = Path(pipeline.__file__).parent / "deploy"
UNITS = ("tfx-ner-schedule.service", "tfx-ner-retrain.service")
SETTINGS = "/etc/tfx-ner/ner.yaml"


@pytest.fixture(scope="module")
def unit():
    """A systemd unit as `{key: [values]}`, sections aside."""

    def parse(name):
        found = {}
        for line in (DEPLOY / "systemd" / name).read_text(encoding="utf-8").splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                found.setdefault(key, []).append(value)
        return found

    return parse


@pytest.fixture(scope="module")
def settings():
    return config.load(str(DEPLOY / "config" / "ner.yaml"), [], {})


@pytest.fixture(scope="module")
def cron_job():
    return yaml.safe_load((DEPLOY / "kubernetes" / "cronjob.yaml").read_text(encoding="utf-8"))["spec"]


def dag_constants():
    """What the DAG gives to Airflow, as far as it stands there in so many words."""
    tree = ast.parse((DEPLOY / "airflow" / "tfx_ner_retrain.py").read_text(encoding="utf-8"))
    names = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    return names, {
        keyword.arg: keyword.value for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords
    }


def commands(unit, cron_job):
    names, given = dag_constants()
    bash = "".join(
        part.value if isinstance(part, ast.Constant) else names[part.value.id] for part in given["bash_command"].values
    )
    [container] = cron_job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return {
        **{name: shlex.split(unit(name)["ExecStart"][0]) for name in UNITS},
        "kubernetes": container["command"],
        "airflow": shlex.split(bash.removeprefix("exec ")),
    }


def test_all_call_the_schedule_with_options_that_it_has(unit, cron_job):
    known = {option for parameter in schedule.params for option in parameter.opts}
    for where, (program, command, *arguments) in commands(unit, cron_job).items():
        assert program.rpartition("/")[2] == "tfx-ner" and command == "schedule", where
        assert {argument for argument in arguments if argument.startswith("--")} <= known, where
        assert arguments[arguments.index("--config") + 1] == SETTINGS, where
        assert ("--once" in arguments) != ("--cron" in arguments), where


def test_the_settings_are_settings(settings):
    assert (settings.data, settings.workdir) == ("/srv/tfx-ner/data", "/srv/tfx-ner/work")
    assert settings.spans.marker == "_SUCCESS"


def test_what_ends_a_run_from_outside_gives_it_its_time(unit, cron_job, settings):
    grace = durations.seconds(settings.schedule.grace)
    longest = (settings.schedule.retries + 1) * durations.seconds(settings.schedule.limit)
    assert all(int(unit(name)["TimeoutStopSec"][0]) > grace for name in UNITS)
    assert unit("tfx-ner-retrain.service")["TimeoutStartSec"] == ["infinity"]
    job = cron_job["jobTemplate"]["spec"]
    assert job["template"]["spec"]["terminationGracePeriodSeconds"] > grace
    assert job["activeDeadlineSeconds"] > longest
    _, given = dag_constants()
    [hours] = given["execution_timeout"].keywords
    assert hours.arg == "hours" and hours.value.value * 3600 > longest


def test_a_refused_model_is_no_failure_and_bad_data_is_not_tried_again(unit, cron_job):
    assert unit("tfx-ner-retrain.service")["SuccessExitStatus"] == [str(exits.REFUSED)]
    assert unit("tfx-ner-schedule.service")["RestartPreventExitStatus"] == [str(exits.BAD_INPUT)]
    rules = cron_job["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    actions = {code: rule["action"] for rule in rules for code in rule.get("onExitCodes", {}).get("values", ())}
    assert actions == {exits.REFUSED: "Ignore", exits.BAD_INPUT: "FailJob"}
    assert cron_job["concurrencyPolicy"] == "Forbid"
    assert dag_constants()[1]["skip_on_exit_code"].value == exits.REFUSED


def test_the_pod_mounts_what_the_settings_name(cron_job, settings):
    pod = cron_job["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {settings.data, settings.workdir, str(Path(SETTINGS).parent), "/tmp"} == set(mounts)
    assert mounts[settings.data]["readOnly"] and "readOnly" not in mounts[settings.workdir]
    assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in pod["volumes"]}
    claims = {
        one["metadata"]["name"] for one in yaml.safe_load_all((DEPLOY / "kubernetes" / "storage.yaml").read_text())
    }
    assert claims == {
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    }


def test_the_units_let_it_write_where_it_works_only(unit, settings):
    for name in UNITS:
        found = unit(name)
        assert found["ProtectSystem"] == ["strict"] and found["ReadWritePaths"] == [settings.workdir]
        assert found["KillMode"] == ["mixed"] and found["User"] == ["tfx-ner"]


@pytest.mark.parametrize("name", [*UNITS, "tfx-ner-retrain.timer"])
def test_systemd_accepts_the_unit(tmp_path, name):
    """With a program that is there in place of tfx-ner: systemd looks for it."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze: Debian's package systemd")
    for path in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and "tfx-ner" not in ran.stderr, ran.stderr


def test_kustomize_builds_it():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    ran = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True, check=True, timeout=120
    )
    built = {one["kind"]: one for one in yaml.safe_load_all(ran.stdout)}
    assert [fault for one in built.values() for fault in faults(one, kind_of(one), one["kind"])] == []
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
[task] = dag.tasks
print(json.dumps([
    bag.import_errors, dag.dag_id, dag.schedule, str(dag.timezone), dag.catchup, dag.max_active_runs,
    type(task).__name__, task.retries, task.skip_on_exit_code, task.bash_command,
]))
"""


def test_airflow_reads_the_dag(tmp_path):
    python = Path(pipeline.__file__).parents[1] / ".venv-airflow" / "bin" / "python"
    if not python.exists():
        pytest.skip("Airflow is not installed: make airflow installs it in .venv-airflow")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path)}
    command = [python, "-c", READ, DEPLOY / "airflow"]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == [
        *({}, "tfx_ner_retrain", "0 2 * * *", "UTC", False, 1),
        *("BashOperator", 0, [3], f"exec /opt/tfx-ner/bin/tfx-ner schedule --once --config {SETTINGS}"),
    ]
