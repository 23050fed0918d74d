"""Compiles a plan to YAML with a Python that has kfp, and makes the command for a recurring run."""

import importlib.util
import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from components.errors import UserError
from pipeline import durations
from pipeline.config import Schedule
from pipeline.kubeflow.plan import PASSWORD_VARIABLE, Plan

_KFP_PROGRAM = Path(__file__).with_name("kfp_program.py")
_KFP_ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-kubeflow"  # `make kubeflow`


def compile_plan(plan: Plan, python: str | None = None) -> str:
    """The pipeline as YAML.

    Args:
      plan: The pipeline.
      python: A Python that has kfp and kfp-kubernetes; if not given, this one or that of
        `make kubeflow`.

    Raises:
      UserError: No Python has them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pipeline.yaml")
        try:
            result = subprocess.run(
                [python or _find_python(), _KFP_PROGRAM, file],
                input=json.dumps({**asdict(plan), "password": PASSWORD_VARIABLE}),
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise UserError(f"--kfp-python {python}: cannot be run ({error.strerror})") from None
        if result.returncode and "ModuleNotFoundError" in result.stderr:
            raise UserError(
                f"--kfp-python {python}: has no kfp and kfp-kubernetes; install them there with pip"
            )
        if result.returncode:
            message = result.stderr.strip().splitlines()[-1]
            raise RuntimeError(f"kfp cannot compile the pipeline: {message}")
        return file.read_text(encoding="utf-8")


def _find_python() -> str:
    if importlib.util.find_spec("kfp") and importlib.util.find_spec("kfp.kubernetes"):
        return sys.executable
    if (_KFP_ENVIRONMENT / "setup.stamp").exists():
        return str(_KFP_ENVIRONMENT / "bin" / "python")
    raise UserError(
        "found neither kfp nor kfp-kubernetes, which write the YAML; expected `make kubeflow` in the"
        " project's folder, or --kfp-python with the Python of an environment that has them"
    )


def recurring_run_command(file: str, schedule: Schedule) -> str:
    """The command that makes Kubeflow run `file` at the times of the schedule, by default at two each night.

    Kubeflow's cron expressions begin with seconds, in the time zone of the cluster.
    """
    if schedule.every:
        times = ("--interval-second", str(durations.seconds(schedule.every)))
    else:
        times = ("--cron-expression", f"0 {schedule.cron or '0 2 * * *'}")
    command = ["kfp", "recurring-run", "create", "--job-name", "tfx-ner"]
    command += ["--experiment-name", "tfx-ner", *times, "--no-catchup", "--max-concurrency", "1"]
    return shlex.join([*command, "--pipeline-package-path", file])
