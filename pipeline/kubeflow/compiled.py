"""From a plan to the YAML, by whichever Python has kfp; and the command by which Kubeflow runs it again and again."""

import importlib.util
import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Optional

from components.errors import UserError
from pipeline import durations
from pipeline.config import Schedule
from pipeline.kubeflow.plan import PASSWORD, Plan

_WRITE = Path(__file__).with_name("write.py")
_BESIDE = Path(__file__).resolve().parents[2] / ".venv-kubeflow"  # made by `make kubeflow`


def compiled(plan: Plan, python: Optional[str] = None) -> str:
    """The pipeline as YAML.

    Args:
      plan: what it is to be.
      python: a Python that has kfp and kfp-kubernetes; without it this one, or that of `make kubeflow`.

    Raises UserError if none has them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pipeline.yaml")
        try:
            done = subprocess.run(
                [python or _python(), _WRITE, file],
                input=json.dumps({**asdict(plan), "password": PASSWORD}),
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise UserError(f"--kfp-python {python}: cannot be run ({error.strerror})") from None
        if done.returncode and "ModuleNotFoundError" in done.stderr:
            raise UserError(
                f"--kfp-python {python}: has no kfp and kfp-kubernetes; pip installs them there"
            )
        if done.returncode:
            raise RuntimeError(
                f"kfp cannot compile the pipeline: {done.stderr.strip().splitlines()[-1]}"
            )
        return file.read_text(encoding="utf-8")


def _python() -> str:
    if importlib.util.find_spec("kfp") and importlib.util.find_spec("kfp.kubernetes"):
        return sys.executable
    if (_BESIDE / "setup.stamp").exists():
        return str(_BESIDE / "bin" / "python")
    raise UserError(
        "found neither kfp nor kfp-kubernetes, which write the YAML; expected `make kubeflow` in the project's folder, or"
        " --kfp-python with the Python of an environment that has them"
    )


def recurring(file: str, schedule: Schedule) -> str:
    """The command that has Kubeflow run `file` at the times of the schedule, at two each night where there is none.

    Kubeflow counts seconds before minutes, and goes by the cluster's time, which is UTC unless somebody changed it.
    """
    if schedule.every:
        times = ("--interval-second", str(round(durations.seconds(schedule.every))))
    else:
        times = ("--cron-expression", f"0 {schedule.cron or '0 2 * * *'}")
    return shlex.join(
        [
            *(
                "kfp",
                "recurring-run",
                "create",
                "--job-name",
                "tfx-ner",
                "--experiment-name",
                "tfx-ner",
            ),
            *(*times, "--no-catchup", "--max-concurrency", "1", "--pipeline-package-path", file),
        ]
    )
