"""The epochs of a training, on one device or on several, up to the best weights in a file."""

import contextlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from components import progress
from components.features import preprocessing
from components.tagger.tagger import Tagger
from components.training import dataset, dev_score, record, replicas, warm_start
from components.training.backup import Backup
from components.training.best_weights import BestWeights
from components.training.learner import Learner
from components.training.material import Job, Material, new_tagger
from components.training.optimizer import SparseAdam
from components.training.record import EpochRecord

_DEV_BATCH = 256


def train(job: Job, report: Callable[[dict], None], team: replicas.Team | None = None) -> Tagger:
    """Fits a new tagger until dev's entity F1 no longer rises, and returns it as it then is.

    Args:
      job: what to fit, and how.
      report: gets the figures of each epoch; of one that is not the chief, its number and the loss.
      team: where several train together, they. The chief alone has dev, and writes.
    """
    given, training, checkpoints = job.given, job.training, job.checkpoints
    keras.utils.set_random_seed(training.seed)
    scope = team.strategy.scope if team else contextlib.nullcontext
    with scope():
        tagger = new_tagger(given, job.model)
    if given.start:
        vocabularies = (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        names = {name: given.transform.vocabulary_by_name(name) for name in vocabularies}
        progress.report("warm_start", **warm_start.take_over(tagger, names, given.start)._asdict())
    train = dataset.batches(
        given.train, given.transform.transformed_feature_spec(), training.batch_size, shuffle_seed=training.seed
    )
    steps, counts = _counts(train, tagger.sizes.words)
    tagger.network.expect(counts)
    schedule = keras.optimizers.schedules.PolynomialDecay(
        training.learning_rate, steps * training.epochs, training.learning_rate / 10
    )
    with scope():
        learner = Learner(tagger, training.foretelling)
        learner.compile(SparseAdam(schedule, training.gradient_norm))
    if team and team.number:
        told = {"epochs": training.epochs}
        callbacks = [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: report({**told, "epoch": epoch + 1, **logs})
            )
        ]
    else:
        checkpoints.mkdir(parents=True, exist_ok=True)
        callbacks = [
            # Adds dev's scores to the logs, so it comes first.
            dev_score.DevScore(dev_batches(given, tagger), tagger.labels, report=report, epochs=training.epochs),
            BestWeights(checkpoints, training.patience),
            EpochRecord(checkpoints / record.EPOCHS, int(counts.sum())),
            Backup(checkpoints / "backup"),
            *([keras.callbacks.TensorBoard(job.board, profile_batch=0)] if job.board else []),
        ]
    if team is None:
        learner.fit(train, epochs=training.epochs, verbose=0, callbacks=callbacks)
    else:
        tf.random.set_seed(training.seed + team.number)  # words are dropped otherwise in each process
        replicas.fit(team, learner, train, training.epochs, callbacks)
    return tagger


def dev_batches(given: Material, tagger: Tagger) -> tf.data.Dataset:
    """Dev, as the tagger takes it, with the tags that count."""
    spec = given.transform.transformed_feature_spec()
    return dataset.batches(given.dev, spec, _DEV_BATCH, shuffle_seed=None, others=tagger.words, as_corpus=True)


def _counts(train: tf.data.Dataset, words: int) -> tuple[int, np.ndarray]:
    """The number of batches, and how often each word occurs in them, int `[words + 1]`."""
    steps, counts = 0, np.zeros(words + 1, np.int64)
    for sentences, _ in train:
        present = tf.boolean_mask(sentences.words, tf.sequence_mask(sentences.lengths, tf.shape(sentences.words)[1]))
        counts += np.bincount(present, minlength=words + 1)
        steps += 1
    return steps, counts
