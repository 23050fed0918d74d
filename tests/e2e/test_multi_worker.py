"""A run that trains together with another process, as with another machine."""

import json
import re
import socket

import pytest

from tests.e2e.program import Program

pytestmark = pytest.mark.slow


def together(context):
    """A run, and a worker that trains along."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]}
    for one in sockets:
        one.close()
    chief, other = (
        Program(
            context.program.source,
            **context.program.variables,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
        )
        for index in range(2)
    )
    work = context.folder / "work"
    with other.start_command("worker") as worker:
        run = chief.run(
            context.make_corpus("data"), work, "--set", "training.distribute=multi-worker"
        )
        return {"run": run, "worker": worker.result(), "work": work}


SCENARIOS = {"together": together}


@pytest.fixture
def results(scenario_result):
    return scenario_result("together")


def test_the_chief_publishes_a_model(results):
    assert results["run"].code == 0, results["run"]
    assert "waiting for `tfx-ner worker` on 1 other machine" in results["run"].out
    assert "each batch is shared among 2 replicas" in results["run"].out
    assert results["run"].epochs == [1, 2, 3] and len(results["run"].versions) == 1
    assert json.loads(results["run"].run_file("outcome.json"))["overall"]["f1"] > 0.5


def test_the_worker_has_the_same_losses_and_ends_with_the_training(results):
    assert results["worker"].code == 0, results["worker"]
    losses = [
        re.findall(r"epoch +\d/3.*  loss (\d\.\d+)", results[who].out) for who in ("run", "worker")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    assert "done; the chief has the model" in results["worker"].out


def test_nothing_is_left_of_the_training_but_the_model(results):
    assert not any((results["work"] / "checkpoints").iterdir())
    (model,) = (results["work"] / "artifacts" / "Trainer" / "model").iterdir()
    assert (model / "Format-Serving" / "saved_model.pb").is_file()
