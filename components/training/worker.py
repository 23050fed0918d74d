"""Where training is distributed: a process that trains on several devices, or together with others.

TensorFlow wants to know of its devices and its cluster before anything else, and a run has long used it when it comes to train.
The chief's process is a child of the run (`components.training.apart`); on other machines `tfx-ner worker` calls `follow`.
"""

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from components import progress
from components.errors import UserError
from components.settings import Model, Training
from components.stdio import take_stdout
from components.training import cluster

if TYPE_CHECKING:
    from components.training.material import Job

REFUSED, FAILED = "refused", "failed"  # keys of the line that it writes last if training fails


def written(job: "Job") -> str:
    """A job as JSON, in one line."""
    given = {
        **vars(job.given),
        "transform": str(Path(job.given.transform.transform_savedmodel_dir).parent),
    }
    return json.dumps(
        {
            "given": given,
            "model": job.model.model_dump(),
            "training": job.training.model_dump(),
            "checkpoints": str(job.checkpoints),
            "board": job.board,
        }
    )


def main() -> None:
    """The chief. Takes the job from standard input, whose end is its own; what it has to tell goes to standard output, lines of
    JSON, as `components.progress.to_json` writes them."""
    output = take_stdout()

    def send(text: str) -> None:
        print(text, file=output, flush=True)

    line = sys.stdin.readline()
    threading.Thread(target=_end_with_input, daemon=True).start()
    code = 0
    try:
        with progress.listening(lambda event: send(progress.to_json(event))):
            _lead(line)
    except UserError as error:
        code = 2
        send(json.dumps({REFUSED: str(error)}))
    except Exception as error:  # whatever TensorFlow raises
        code = 1
        logging.getLogger().exception("training failed")
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        send(json.dumps({FAILED: message}))
    output.flush()
    os._exit(code)  # without waiting for the machines that have gone


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def _lead(line: str) -> None:
    training = Training(**json.loads(line)["training"])
    from components.training import replicas

    if training.distribute == "mirrored":
        team = replicas.mirrored(training.replicas)
    else:
        place = cluster.place(os.environ.get(cluster.VARIABLE))
        progress.emit(progress.WaitingForWorkers(place.of - 1))
        team = replicas.multi_worker(place.number)
    progress.emit(progress.ReplicasReady(team.strategy.num_replicas_in_sync))
    _train(team.told(line), team, progress.emit)


def follow(place: cluster.Place, report: progress.Listener) -> None:
    """Trains along with the chief; the process can do nothing else with TensorFlow after it.

    Raises UserError if this machine does not see the chief's files.
    """
    from components.training import replicas

    team = replicas.multi_worker(place.number)
    _train(team.told(), team, report)


def _train(line: str, team, report: progress.Listener) -> None:
    import tensorflow as tf
    import tensorflow_transform as tft

    from components.training.epochs import train
    from components.training.material import Job, Material

    told = json.loads(line)
    given = told["given"]
    needed = [given["transform"], *given["train"], *given["dev"], given["vectors"], given["start"]]
    missing = [path for path in needed if path and not tf.io.gfile.exists(path)]
    lacking = int(team.total(bool(missing)))
    if missing:
        raise UserError(
            f"{missing[0]}: not found on this machine; the workdir has to be the same on all, by a shared disk"
        )
    if lacking:
        raise UserError(
            f"{given['transform']}: not found on {lacking} of the other machines; the workdir has to be the same on all,"
            " by a shared disk"
        )
    transform = tft.TFTransformOutput(given["transform"])
    job = Job(
        Material(**{**given, "transform": transform, "labels": tuple(given["labels"])}),
        Model(**told["model"]),
        Training(**told["training"]),
        Path(told["checkpoints"]),
        told["board"],
    )
    try:
        train(job, report, team)
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise RuntimeError(
            "training broke off, for one of the machines that train together has gone"
        ) from error


if __name__ == "__main__":
    main()
