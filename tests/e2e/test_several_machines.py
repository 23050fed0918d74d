"""A run that trains together with another process, as with another machine."""

import json
import re
import socket

import pytest

from tests.e2e.program import Program

pytestmark = pytest.mark.slow


def together(teller):
    """A run, and a worker that trains along."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]}
    for one in sockets:
        one.close()
    chief, other = (
        Program(
            teller.program.source,
            **teller.program.variables,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
        )
        for index in range(2)
    )
    work = teller.folder / "work"
    with other.started_command("worker") as worker:
        run = chief.run(teller.corpus("data"), work, "--set", "training.distribute=multi-worker")
        return {"run": run, "worker": worker.result(), "work": work}


STORIES = {"together": together}


@pytest.fixture
def kept(told):
    return told("together")


def test_the_chief_publishes_a_model(kept):
    assert kept["run"].code == 0, kept["run"]
    assert "waiting for `tfx-ner worker` on 1 other machine" in kept["run"].out
    assert "each batch is shared among 2 replicas" in kept["run"].out
    assert kept["run"].epochs == [1, 2, 3] and len(kept["run"].versions) == 1
    assert json.loads(kept["run"].kept("outcome.json"))["overall"]["f1"] > 0.5


def test_the_worker_has_the_same_losses_and_ends_with_the_training(kept):
    assert kept["worker"].code == 0, kept["worker"]
    losses = [
        re.findall(r"epoch +\d/3.*  loss (\d\.\d+)", kept[who].out) for who in ("run", "worker")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    assert "done; the chief has the model" in kept["worker"].out


def test_nothing_is_left_of_the_training_but_the_model(kept):
    assert not any((kept["work"] / "checkpoints").iterdir())
    (model,) = (kept["work"] / "artifacts" / "Trainer" / "model").iterdir()
    assert (model / "Format-Serving" / "saved_model.pb").is_file()
