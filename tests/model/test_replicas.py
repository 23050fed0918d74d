"""Training on several replicas, devices or processes, compared with one device."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tagger.batch import Sentences
from components.training.distributed import DistributedContext, share_batch
from components.training.learner import Learner
from tests.model.conftest import SMALL, make_tagger
from tests.model.replicas_program import EPOCHS, Losses, batches, compiled, fitted

ROOT = Path(__file__).resolve().parents[2]


def started(folder, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.model.replicas_program", str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The results of two replicas in one process, `mirrored`, and in two processes, `workers`."""
    mirrored, workers = (tmp_path_factory.mktemp(name) for name in ("mirrored", "workers"))
    cluster = {"worker": free_addresses(2)}
    processes = [
        started(
            workers,
            "multi-worker",
            str(number),
            TF_CONFIG=json.dumps({"cluster": cluster, "task": task}),
        )
        for number, task in enumerate({"type": "worker", "index": index} for index in range(2))
    ]
    try:
        processes.append(started(mirrored, "mirrored", "2"))
        for process in processes:
            _, printed = process.communicate(timeout=300)
            assert process.returncode == 0, printed[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return {
        "mirrored": [json.loads((mirrored / "0.json").read_text())],
        "workers": [json.loads((workers / f"{number}.json").read_text()) for number in range(2)],
    }


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A learner fitted on one device, and its losses."""
    return fitted(
        DistributedContext(tf.distribute.OneDeviceStrategy("CPU:0")),
        tmp_path_factory.mktemp("alone"),
    )


@pytest.mark.parametrize("kind", ["mirrored", "workers"])
def test_losses_and_weights_equal_those_of_one_device_after_a_restart_as_well(trained, alone, kind):
    learner, losses = alone
    # Sums of float32 in another order: one in 10^7 at a step, and Adam passes on what it divides
    # by.
    np.testing.assert_allclose(trained[kind][0]["losses"], losses, rtol=1e-5)
    for weight, found in zip(learner.trainable_weights, trained[kind][0]["weights"]):
        np.testing.assert_allclose(found, weight, atol=1e-3)


def test_losses_equal_those_of_keras_fit(alone):
    learner, recorded = compiled(), Losses()
    learner.fit(batches(), epochs=EPOCHS, verbose=0, callbacks=[recorded])
    np.testing.assert_allclose(alone[1][0], recorded.losses[0], rtol=1e-6)
    # At the end of an epoch Keras's optimizer counts a step that there was not, and Adam's first
    # steps go by their number.
    np.testing.assert_allclose(alone[1], recorded.losses, rtol=0.01)


def test_two_processes_have_the_losses_of_two_devices(trained):
    np.testing.assert_allclose(
        trained["workers"][0]["losses"], trained["mirrored"][0]["losses"], rtol=1e-5
    )


def test_all_replicas_end_with_the_same_weights(trained):
    first, second = trained["workers"]
    assert first["weights"] == second["weights"]
    one, other = trained["mirrored"][0]["words"]
    assert one == other


@pytest.mark.parametrize("kind", ["mirrored", "workers"])
def test_each_replica_has_its_own_dropout_seed(trained, kind):
    one, other = (tuple(seed) for process in trained[kind] for seed in process["seeds"])
    assert one != other


def test_the_chiefs_text_reaches_all_processes(trained):
    assert [process["broadcast"] for process in trained["workers"]] == ["Zoë", "Zoë"]


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.integers(1, 4), min_size=1, max_size=7),
    st.sampled_from(["crf", "softmax"]),
)
def test_losses_and_gradients_of_the_shards_sum_to_those_of_the_batch(of, lengths, output):
    learner = LEARNERS[output]
    size, longest = len(lengths), max(lengths)
    numbers = tf.reshape(tf.range(size * longest), [size, longest])
    sentences = Sentences(
        numbers % 50,
        numbers % 5,
        numbers % 3,
        tf.tile(numbers[:, :, None], [1, 1, 4]) % 40,
        tf.tile(numbers[:, :, None], [1, 1, 3]) % 30,
        tf.cast(numbers, tf.int64),
        tf.constant(lengths),
    )
    tags = numbers % 2

    def loss_and_gradient(sentences, tags, weights=None):
        states = learner(sentences)
        with tf.GradientTape() as tape:
            loss = learner.compute_loss(sentences, tags, states, weights)
        return loss, tape.gradient(loss, learner.tagger.network.emissions.kernel.value)

    parts = [loss_and_gradient(*share_batch(sentences, tags, number, of)) for number in range(of)]
    for whole, summed in zip(loss_and_gradient(sentences, tags), map(tf.add_n, zip(*parts))):
        np.testing.assert_allclose(summed, whole, rtol=1e-3, atol=1e-5)


LEARNERS = {
    output: Learner(make_tagger(SMALL.model_copy(update={"output": output})), lm_loss_weight=0)
    for output in ("crf", "softmax")
}
