"""`tfx-ner worker`: take part in the training of a run on another machine."""

import os
import socket
import time

import click
from rich.console import Console

from components import tf_runtime
from components.errors import UserError
from components.training.subprocess_trainer import (
    TF_CONFIG,
    ClusterTask,
    follow_chief,
    parse_tf_config,
)
from pipeline.commands import options

_POLL_SECONDS = 1.0


@click.command()
@click.option(
    "--wait",
    "limit",
    type=options.Duration(),
    metavar="TIME",
    help="Longest time to wait for the chief, as 30m or 2h; by default without limit.",
)
def worker(limit: int | None) -> None:
    """Take part in the training of a run on another machine.

    Start it on every machine of a cluster except the chief, which runs
    `tfx-ner run --set training.distribute=multi-worker`. All machines need the same release of
    tfx-ner, the workdir under the same path on a shared disk, and TensorFlow's TF_CONFIG in the
    environment. The command ends with the training; the chief has the model.
    """
    task = parse_tf_config(os.environ.get(TF_CONFIG))
    if task.rank == 0:
        raise UserError(
            f"{TF_CONFIG} says that this is the chief; expected another task,"
            " and `tfx-ner run --set training.distribute=multi-worker` on the chief"
        )
    screen = Console(highlight=False)
    screen.print(f"waiting for the chief at {task.chief}", soft_wrap=True)
    _wait_for_chief(task, limit)

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf_runtime.limit_threads()
    follow_chief(
        task,
        lambda event: screen.print(
            f"  epoch {event.epoch:>3}/{event.epochs}  loss {event.loss:.4f}"
        ),
    )
    screen.print("done; the chief has the model")
    os._exit(0)  # at its exit TensorFlow waits for machines that have ended


def _wait_for_chief(task: ClusterTask, limit: int | None) -> None:
    """Waits until the chief listens. Raises UserError after `limit` seconds, if given."""
    began = time.monotonic()
    while True:
        try:
            socket.create_connection((task.host, task.port), timeout=_POLL_SECONDS).close()
            return
        except OSError:
            if limit is not None and time.monotonic() - began >= limit:
                raise UserError(f"{task.chief}: the chief did not start training in time") from None
            time.sleep(_POLL_SECONDS)
