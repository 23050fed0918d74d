"""Trains a small tagger on several replicas in its own process, because TensorFlow must be
configured for them at its start.

    python -m tests.model.replicas_program FOLDER mirrored 2
    python -m tests.model.replicas_program FOLDER multi-worker NUMBER      # with TF_CONFIG

Multi-worker training is stopped after two epochs and resumed with a new cluster. FOLDER/NUMBER.json
has the results.
"""

import json
import os
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components.tagger.batch import Sentences
from components.training import distributed
from components.training.callbacks import Backup
from components.training.learner import Learner, SparseAdam
from tests.model.conftest import LABELS, SMALL, make_tagger

EPOCHS = 4
SIZES = (6, 5, 1, 8)  # sentences per batch: even, odd, and fewer than the replicas
PLAIN = SMALL.model_copy(update={"dropout": 0.0, "word_dropout": 0.0})


def batches():
    """Batches of synthetic sentences, the same in each process."""
    random = np.random.default_rng(5)

    def batch(size, longest=7):
        def ids(highest, *shape, kind=np.int32):
            return tf.constant(random.integers(0, highest, (size, longest, *shape)).astype(kind))

        lengths = tf.constant(random.integers(1, longest + 1, size).astype(np.int32))
        sentences = Sentences(
            ids(50), ids(5), ids(3), ids(40, 4), ids(30, 6), ids(1 << 40, kind=np.int64), lengths
        )
        return sentences, tf.constant(
            random.integers(0, 2, (size, longest)).astype(np.int32)
        )  # O and a B-, in any order

    made = [batch(size) for size in SIZES]
    spec = tf.nest.map_structure(
        lambda part: tf.TensorSpec([None] * part.ndim, part.dtype), made[0]
    )
    return tf.data.Dataset.from_generator(lambda: iter(made), output_signature=spec)


def compiled(settings=PLAIN):
    """A learner whose gradients exceed the clipping norm, without the language model.

    Its sampling would differ from process to process.
    """
    learner = Learner(make_tagger(settings), lm_loss_weight=0)
    learner.compile(SparseAdam(0.05, gradient_norm=0.5))
    return learner


class Losses(keras.callbacks.Callback):
    """Records the loss of each epoch, and stops after epoch `last`."""

    def __init__(self, last=EPOCHS):
        super().__init__()
        self.losses, self._last = [], last

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["loss"])
        self.model.stop_training = epoch + 1 == self._last


def fitted(context, folder, stops=(EPOCHS,)):
    """The learner after all epochs, and their losses in the chief, with a restart at each of `stops`."""
    losses = []
    for last in stops:
        with context.strategy.scope():
            learner = compiled()
        recorded = Losses(last)
        backup = Backup(folder)
        first = backup.restore(learner) if context.rank == 0 else 0
        callbacks = [recorded, backup] if context.rank == 0 else []
        distributed.fit(context, learner, batches(), EPOCHS, callbacks, first)
        losses += recorded.losses
    return learner, losses


def main(folder, kind, number):
    context = (
        distributed.mirrored(int(number))
        if kind == "mirrored"
        else distributed.multi_worker(int(number))
    )
    stops = (EPOCHS,) if kind == "mirrored" else (EPOCHS // 2, EPOCHS)
    learner, losses = fitted(context, folder / "backup", stops=stops)
    with context.strategy.scope():
        dropping = compiled(SMALL)
    distributed.fit(context, dropping, batches(), 0, [])  # ready to begin

    def of_replicas(variable):
        return [
            part.numpy().tolist()
            for part in context.strategy.experimental_local_results(variable.value)
        ]

    found = {
        "losses": losses,
        "weights": [np.array(weight).tolist() for weight in learner.trainable_weights],
        "words": of_replicas(learner.tagger.network.words.embeddings),
        "seeds": of_replicas(dropping.tagger.network.dropout.seed_generator.state),
        "broadcast": context.broadcast_text("Zoë" if context.rank == 0 else ""),
    }
    (folder / f"{context.rank}.json").write_text(json.dumps(found))
    os._exit(0)


if __name__ == "__main__":
    assert LABELS[0] == "O" and LABELS[1].startswith("B-")
    main(Path(sys.argv[1]), *sys.argv[2:])
