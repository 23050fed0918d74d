"""Multi-worker training with a second process as the other machine."""

import json
import re
import socket

import pytest

from tests.e2e.program import Program

pytestmark = pytest.mark.slow


def train_on_two_workers(context):
    """Runs the pipeline and a `worker` command that trains with it."""
    sockets = [socket.socket() for _ in range(2)]
    for listener in sockets:
        listener.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]}
    for listener in sockets:
        listener.close()
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


SCENARIOS = {"two workers": train_on_two_workers}


@pytest.fixture
def results(scenario_result):
    return scenario_result("two workers")


def test_the_chief_publishes_a_model(results):
    assert results["run"].code == 0, results["run"]
    events = {event["event"]: event for event in results["run"].events}
    assert events["WaitingForWorkers"]["machines"] == 1
    assert events["ReplicasReady"]["replicas"] == 2
    assert results["run"].epochs == [1, 2, 3] and len(results["run"].versions) == 1
    assert json.loads(results["run"].run_file("outcome.json"))["overall"]["f1"] > 0.5


def test_the_worker_reports_the_losses_of_the_chief_and_ends_after_training(results):
    assert results["worker"].code == 0, results["worker"]
    losses = [
        re.findall(r"epoch +\d/3.*  loss (\d\.\d+)", results[process].out)
        for process in ("run", "worker")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    assert "done; the chief has the model" in results["worker"].out


def test_training_leaves_one_model_and_no_checkpoints(results):
    assert not any((results["work"] / "checkpoints").iterdir())
    (model,) = (results["work"] / "artifacts" / "Trainer" / "model").iterdir()
    assert (model / "Format-Serving" / "saved_model.pb").is_file()
