"""Distributed training in processes of its own.

TensorFlow must know its devices and its cluster before anything else, and a run has used it long
before it trains. So the chief of a distributed training is a subprocess of the run (`fit_tagger`),
and on other machines `tfx-ner worker` calls `follow_chief`; `parse_tf_config` says which machines
train together. The subprocess, this module's `main`, takes the job from its standard input and
writes events to its standard output, as lines of JSON with `kind` and `facts`. What the processes
compute is in `components.training.distributed`.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import progress
from components.errors import UserError
from components.stdio import take_stdout

if TYPE_CHECKING:
    from components.training.distributed import DistributedContext
    from components.training.run import TrainingJob

_REFUSED, _FAILED = "refused", "failed"  # keys of the last line of a training that fails


# --- The machines that train together ---

TF_CONFIG = "TF_CONFIG"  # TensorFlow's environment variable
_EXPECTED_TF_CONFIG = (
    'expected {"cluster": {"worker": ["one.example:2222", "two.example:2222"]},'
    ' "task": {"type": "worker", "index": 0}}, with the same cluster on every machine'
)


@dataclass(frozen=True)
class ClusterTask:
    """This process among those that train together.

    Attributes:
        rank: its index; 0 is the chief.
        size: the number of processes.
        chief: the chief's address, host:port.
    """

    rank: int
    size: int
    chief: str

    @property
    def host(self) -> str:
        """The chief's host."""
        return self.chief.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The chief's port."""
        return int(self.chief.rpartition(":")[2])


def parse_tf_config(text: str | None) -> ClusterTask:
    """Parses the content of TF_CONFIG. Without a chief in the cluster, the first worker is the
    chief.

    Raises:
        UserError: it is missing or malformed.
    """
    if not text:
        raise UserError(
            f"{TF_CONFIG} is not set, and names the machines that train together; {_EXPECTED_TF_CONFIG}"
        )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        addresses = [*cluster.get("chief", ()), *cluster.get("worker", ())]
        same_type, index = cluster[task["type"]], int(task["index"])
        if set(cluster) - {"chief", "worker"} or not 0 <= index < len(same_type):
            raise ValueError
        for address in addresses:
            host, _, port = address.rpartition(":")
            if not host or not 0 < int(port) < 65536:
                raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{TF_CONFIG}: found {text}; {_EXPECTED_TF_CONFIG}") from None
    chiefs = len(cluster.get("chief", ())) if task["type"] == "worker" else 0
    return ClusterTask(chiefs + index, len(addresses), addresses[0])


# --- The run's side ---


def fit_tagger(job: "TrainingJob", report: progress.Listener) -> None:
    """Fits as `components.training.run.fit_tagger` does; the result is the best weights in the
    job's checkpoints.

    Args:
        job: the training.
        report: takes the event of each epoch.

    Raises:
        UserError: the subprocess refuses the job.
        RuntimeError: the subprocess fails.
    """
    import_paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": import_paths},
        encoding="utf-8",
    )
    with process:
        try:
            # The pipe stays open: the subprocess ends with it, also where this process is killed.
            process.stdin.write(_job_to_json(job) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                _handle_line(json.loads(line), report)
            process.wait()
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the process that trains ended with {process.returncode}")


def _handle_line(line: Mapping[str, Any], report: progress.Listener) -> None:
    if _REFUSED in line:
        raise UserError(line[_REFUSED])
    if _FAILED in line:
        raise RuntimeError(line[_FAILED])
    event = progress.from_json(line)
    if isinstance(event, progress.EpochEnded):
        report(event)
    elif not isinstance(event, progress.VectorsLoaded):  # the run loads them too, and has said so
        progress.emit(event)


def _job_to_json(job: "TrainingJob") -> str:
    transform = str(Path(job.inputs.transform.transform_savedmodel_dir).parent)
    return json.dumps(
        {
            "inputs": {**vars(job.inputs), "transform": transform},
            "model": job.model.model_dump(),
            "training": job.training.model_dump(),
            "checkpoints": str(job.checkpoints),
            "tensorboard": job.tensorboard,
        }
    )


# --- The processes that train ---


def main() -> None:
    """Runs the chief."""
    output = take_stdout()

    def send(line: str) -> None:
        print(line, file=output, flush=True)

    job = sys.stdin.readline()
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    code = 0
    try:
        with progress.listening(lambda event: send(progress.to_json(event))):
            _lead(job)
    except UserError as error:
        code = 2
        send(json.dumps({_REFUSED: str(error)}))
    except Exception as error:  # whatever TensorFlow raises
        code = 1
        logging.getLogger().exception("training failed")
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        send(json.dumps({_FAILED: message}))
    output.flush()
    os._exit(code)  # TensorFlow would wait for machines that have gone


def _exit_at_end_of_input() -> None:
    sys.stdin.read()
    os._exit(1)


def _lead(job: str) -> None:
    """Trains as the chief; `job` is the training as JSON."""
    from components.settings import Training

    training = Training(**json.loads(job)["training"])
    from components.training import distributed

    if training.distribute == "mirrored":
        context = distributed.mirrored(training.replicas)
    else:
        task = parse_tf_config(os.environ.get(TF_CONFIG))
        progress.emit(progress.WaitingForWorkers(task.size - 1))
        context = distributed.multi_worker(task.rank)
    progress.emit(progress.ReplicasReady(context.strategy.num_replicas_in_sync))
    _fit_together(context.broadcast_text(job), context, progress.emit)


def follow_chief(task: ClusterTask, report: progress.Listener) -> None:
    """Trains along with the chief. Afterwards the process cannot use TensorFlow for anything else.

    Args:
        task: this process in the cluster.
        report: takes the event of each epoch.

    Raises:
        UserError: this machine does not see the chief's files.
    """
    from components.training import distributed

    context = distributed.multi_worker(task.rank)
    _fit_together(context.broadcast_text(), context, report)


def _fit_together(job: str, context: "DistributedContext", report: progress.Listener) -> None:
    """Runs the job in this process, after checking that all processes see its files."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from components.settings import Model, Training
    from components.training.run import TrainingInputs, TrainingJob, fit_tagger

    values = json.loads(job)
    inputs = values["inputs"]
    paths = [
        inputs["transform"],
        *inputs["train"],
        *inputs["dev"],
        inputs["vectors"],
        inputs["warm_start"],
    ]
    missing = [path for path in paths if path and not tf.io.gfile.exists(path)]
    machines = int(context.sum(bool(missing)))
    remedy = "the workdir has to be the same on all machines, by a shared disk"
    if missing:
        raise UserError(f"{missing[0]}: not found on this machine; {remedy}")
    if machines:
        raise UserError(
            f"{inputs['transform']}: not found on {machines} of the other machines; {remedy}"
        )
    inputs["transform"] = tft.TFTransformOutput(inputs["transform"])
    inputs["labels"] = tuple(inputs["labels"])
    training_job = TrainingJob(
        TrainingInputs(**inputs),
        Model(**values["model"]),
        Training(**values["training"]),
        Path(values["checkpoints"]),
        values["tensorboard"],
    )
    try:
        fit_tagger(training_job, report, context)
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise RuntimeError(
            "training broke off: one of the machines that train together has gone"
        ) from error


if __name__ == "__main__":
    main()
