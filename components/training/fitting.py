"""Fits a tagger on Transform's output, as the Trainer and the Tuner both do."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.features import labels, preprocessing
from components.settings import Model, Training
from components.tagger import vectors
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.training import dataset, dev_score, warm_start
from components.training.best_weights import BestWeights
from components.training.optimizer import SparseAdam
from components.training.record import EpochRecord
from components.validation import contract

_DEV_BATCH = 256


@dataclass(frozen=True)
class Material:
    """What is fitted on: Transform's output, the label map, files of transformed examples, and, if there are, one of pretrained
    vectors and the SavedModel to start from."""

    transform: tft.TFTransformOutput
    labels: tuple[str, ...]
    train: list[str]
    dev: list[str]
    vectors: str | None
    start: str | None = None


@dataclass(frozen=True)
class Fitted:
    """A tagger with its best weights, dev as it takes it, and what they reach there: f1, precision, recall, epoch.

    `epochs` has the figures of each epoch, as `components.training.record` has them.
    """

    tagger: Tagger
    dev: tf.data.Dataset
    best: dict[str, float]
    epochs: list[dict[str, float]]


def material(fn_args: FnArgs) -> Material:
    """What TFX hands over; `fn_args.custom_config` may have `vectors`."""
    return Material(
        tft.TFTransformOutput(fn_args.transform_graph_path),
        labels.label_map(contract.types_of(contract.read(fn_args.schema_path))),
        _files(fn_args.train_files),
        _files(fn_args.eval_files),
        fn_args.custom_config.get("vectors"),
        fn_args.base_model,
    )


def fit(
    given: Material,
    settings: Model,
    training: Training,
    checkpoints: Path,
    report: Callable[[dict], None],
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> Fitted:
    """Fits until dev's entity F1 no longer rises.

    Args:
      given: what to fit on.
      settings, training: the tagger's sizes, and how it is fitted.
      checkpoints: a folder for what is needed to go on after a kill; it is gone when training is done.
      report: gets the figures of each epoch.
      callbacks: further ones.
    """
    keras.utils.set_random_seed(training.seed)
    tagger = _tagger(given, settings)
    if given.start:
        vocabularies = (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        names = {name: given.transform.vocabulary_by_name(name) for name in vocabularies}
        progress.report("warm_start", **warm_start.take_over(tagger, names, given.start)._asdict())
    spec = given.transform.transformed_feature_spec()
    train = dataset.batches(given.train, spec, training.batch_size, shuffle_seed=training.seed)
    dev = dataset.batches(given.dev, spec, _DEV_BATCH, shuffle_seed=None, others=tagger.words)
    steps, counts = _counts(train, tagger.sizes.words)
    tagger.network.expect(counts)
    schedule = keras.optimizers.schedules.PolynomialDecay(
        training.learning_rate, steps * training.epochs, training.learning_rate / 10
    )
    tagger.compile(
        optimizer=SparseAdam(schedule, training.gradient_norm),
        jit_compile=False,  # XLA would compile anew for each shape of batch
    )
    checkpoints.mkdir(parents=True, exist_ok=True)
    keep = BestWeights(checkpoints, training.patience)
    record = EpochRecord(checkpoints / "epochs.json", int(counts.sum()))
    tagger.fit(
        train,
        epochs=training.epochs,
        verbose=0,
        callbacks=[
            # Adds dev's scores to the logs, so it comes first.
            dev_score.DevScore(dev, tagger.labels, report=report, epochs=training.epochs),
            keep,
            record,
            keras.callbacks.BackupAndRestore(str(checkpoints / "backup")),
            *callbacks,
        ],
    )
    fitted = Fitted(tagger, dev, keep.restore(), record.read())
    shutil.rmtree(checkpoints)
    return fitted


def _files(patterns: list[str]) -> list[str]:
    return [file for pattern in patterns for file in tf.io.gfile.glob(pattern)]


def _tagger(given: Material, settings: Model) -> Tagger:
    """A new tagger, its words as they begin or, where there is a file of pretrained vectors, with those."""
    sizes = Sizes(
        *(
            given.transform.vocabulary_size_by_name(name)
            for name in (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        )
    )
    if not given.vectors:
        return Tagger(sizes, given.labels, settings)
    vocabulary = given.transform.vocabulary_by_name(preprocessing.WORDS)
    words = {word.decode(): number for number, word in enumerate(vocabulary)}
    found = vectors.read(given.vectors, words, settings.other_words)
    progress.report(
        "vectors", known=len(found.known), words=len(words), others=len(found.others), dimensions=found.dimensions
    )
    tagger = Tagger(sizes._replace(vectors=found.dimensions), given.labels, settings, found.others)
    tagger.network.start_from({words[word]: vector for word, vector in found.known.items()}, found.extra)
    return tagger


def _counts(train: tf.data.Dataset, words: int) -> tuple[int, np.ndarray]:
    """The number of batches, and how often each word occurs in them, int `[words + 1]`."""
    steps, counts = 0, np.zeros(words + 1, np.int64)
    for sentences, _ in train:
        present = tf.boolean_mask(sentences.words, tf.sequence_mask(sentences.lengths, tf.shape(sentences.words)[1]))
        counts += np.bincount(present, minlength=words + 1)
        steps += 1
    return steps, counts
