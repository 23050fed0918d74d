"""Training in a process of its own: the run's side of it. `components.training.worker` is the other."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from components import progress
from components.errors import UserError
from components.training import worker
from components.training.material import Job


def train(job: Job, report: progress.Listener) -> None:
    """As `components.training.epochs.train`, but for the tagger: what is left of it are its best weights, in `checkpoints`.

    Raises UserError where the process refuses, and RuntimeError where it fails.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
    }
    command = [sys.executable, "-m", worker.__name__]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, encoding="utf-8")
    with process:
        try:
            # Its input stays open, as it ends with it: were this process killed, none would go on.
            process.stdin.write(worker.written(job) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                _handle(json.loads(line), report)
            process.wait()
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the process that trains ended with {process.returncode}")


def _handle(line: Mapping[str, Any], report: progress.Listener) -> None:
    if worker.REFUSED in line:
        raise UserError(line[worker.REFUSED])
    if worker.FAILED in line:
        raise RuntimeError(line[worker.FAILED])
    event = progress.from_json(line)
    if isinstance(event, progress.EpochEnded):
        report(event)
    elif not isinstance(event, progress.VectorsLoaded):  # the run loads them too, and says so
        progress.emit(event)
