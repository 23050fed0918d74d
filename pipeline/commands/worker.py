"""`tfx-ner worker`."""

import os
import socket
import time
from typing import Optional

import click
from rich.console import Console

from components import tf_runtime
from components.errors import UserError
from components.training import cluster

_EVERY = 1.0  # seconds between two looks for the chief


@click.command()
@click.option(
    "--wait",
    metavar="TIME",
    help="How long to wait for the chief, as 30m or 2h; without it, for ever.",
)
def worker(wait: Optional[str]) -> None:
    """Train along with a run on another machine.

    Run it on every machine of a cluster but the chief, which does `tfx-ner run --set training.distribute=multi-worker`. All of them
    have the same release of this program, the workdir under the same path on a shared disk, and TF_CONFIG in the environment, as
    TensorFlow has it. It ends with the training; the chief has the model.
    """
    from pipeline import durations

    try:
        limit = durations.seconds(wait) if wait else None
    except ValueError as error:
        raise UserError(f"--wait {wait}: {error}") from None
    task = cluster.parse_tf_config(os.environ.get(cluster.VARIABLE))
    if task.rank == 0:
        raise UserError(
            f"{cluster.VARIABLE} says that this is the chief; expected another place here,"
            " and `tfx-ner run --set training.distribute=multi-worker` on the chief"
        )
    screen = Console(highlight=False)
    screen.print(f"waiting for the chief at {task.chief}", soft_wrap=True)
    _wait(task, limit)

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf_runtime.limit_threads()
    from components.training.subprocess_trainer import follow_chief

    follow_chief(
        task,
        lambda event: screen.print(
            f"  epoch {event.epoch:>3}/{event.epochs}  loss {event.loss:.4f}"
        ),
    )
    screen.print("done; the chief has the model")
    os._exit(0)  # TensorFlow would wait for machines that have gone


def _wait(task: cluster.ClusterTask, limit: Optional[int]) -> None:
    """Returns when the chief listens. Raises UserError if it has not by then."""
    began = time.monotonic()
    while True:
        try:
            socket.create_connection((task.host, task.port), timeout=_EVERY).close()
            return
        except OSError:
            if limit is not None and time.monotonic() - began >= limit:
                raise UserError(f"{task.chief}: no chief has come to train") from None
            time.sleep(_EVERY)
