"""The epochs of a training, on one device or on several, up to the best weights in a file."""

import contextlib
import math
from typing import NamedTuple

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
_FEWEST_STEPS = (
    100  # of an epoch: 300 sentences make ten, and were far from learnt after ten times as many
)


def train(job: Job, report: progress.Listener, team: replicas.Team | None = None) -> Tagger:
    """Fits a new tagger until dev's entity F1 no longer rises, and returns it as it then is.

    An epoch is a pass over train, or as many as make `_FEWEST_STEPS`, where train is small.

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
    train = dataset.batches(
        given.train,
        given.transform.transformed_feature_spec(),
        training.batch_size,
        shuffle_seed=training.seed,
    )
    counts = _count(train, tagger)
    tagger.network.expect(counts.words)
    tagger.expect(counts.moves)
    if given.start:
        vocabularies = (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        names = {name: given.transform.vocabulary_by_name(name) for name in vocabularies}
        progress.emit(progress.WarmStarted(*warm_start.take_over(tagger, names, given.start)))
    passes = math.ceil(_FEWEST_STEPS / counts.steps)
    schedule = keras.optimizers.schedules.PolynomialDecay(
        training.learning_rate, counts.steps * passes * training.epochs, training.learning_rate / 10
    )
    with scope():
        learner = Learner(tagger, training.foretelling)
        learner.compile(SparseAdam(schedule, training.gradient_norm))
    if team and team.number:
        callbacks = [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: report(
                    progress.WorkerEpochEnded(epoch + 1, training.epochs, logs["loss"])
                )
            )
        ]
    else:
        checkpoints.mkdir(parents=True, exist_ok=True)
        callbacks = [
            # Adds dev's scores to the logs, so it comes first.
            dev_score.DevScore(
                dev_batches(given, tagger), tagger.labels, report=report, epochs=training.epochs
            ),
            BestWeights(checkpoints, training.patience),
            EpochRecord(checkpoints / record.EPOCHS, passes * int(counts.words.sum())),
            Backup(checkpoints / "backup"),
            *([keras.callbacks.TensorBoard(job.board, profile_batch=0)] if job.board else []),
        ]
    train = train.repeat(passes)
    if team is None:
        learner.fit(train, epochs=training.epochs, verbose=0, callbacks=callbacks)
    else:
        tf.random.set_seed(
            training.seed + team.number
        )  # words are dropped otherwise in each process
        replicas.fit(team, learner, train, training.epochs, callbacks)
    return tagger


def dev_batches(given: Material, tagger: Tagger) -> tf.data.Dataset:
    """Dev, as the tagger takes it, with the tags that count."""
    spec = given.transform.transformed_feature_spec()
    return dataset.batches(
        given.dev, spec, _DEV_BATCH, shuffle_seed=None, others=tagger.words, as_corpus=True
    )


class _Counts(NamedTuple):
    """Of train: `steps`, batches; `words` int `[words + 1]`, how often each word is in it; `moves`, as `Tagger.expect` has them."""

    steps: int
    words: np.ndarray
    moves: np.ndarray


def _count(train: tf.data.Dataset, tagger: Tagger) -> _Counts:
    number = len(tagger.labels) + 1
    outside = number - 1
    steps, words, moves = (
        0,
        np.zeros(tagger.sizes.words + 1, np.int64),
        np.zeros(number * number, np.int64),
    )
    for sentences, tags in train:
        present = tf.sequence_mask(sentences.lengths, tf.shape(tags)[1])
        words += np.bincount(tf.gather_nd(sentences.words, tf.where(present)), minlength=len(words))
        path = tf.pad(tf.where(present, tags, outside), [[0, 0], [1, 1]], constant_values=outside)
        moves += np.bincount(
            tf.reshape(path[:, :-1] * number + path[:, 1:], [-1]), minlength=len(moves)
        )
        steps += 1
    moves = moves.reshape(number, number)
    moves[outside, outside] = 0  # of padding
    return _Counts(steps, words, moves)
