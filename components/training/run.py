"""Trainer: `run_fn` fits a tagger, calibrates it and saves it with its signatures.

`fit` is what the Tuner calls too. `fit_tagger` is the training itself; it keeps the weights of the
best epoch in a file.
"""

import contextlib
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.export import card, signatures
from components.features import preprocessing
from components.ner.granularity import parse_granularity
from components.ner.tags import label_map
from components.settings import Model, Training
from components.tagger.batch import load_batches
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.tagger.vectors import read_vectors
from components.training import callbacks, distributed, subprocess_trainer, warm_start
from components.training.calibration import calibrate, compute_emissions
from components.training.learner import Learner, SparseAdam
from components.validation import curated_schema

_DEV_BATCH_SIZE = 256
# Minimum number of steps in an epoch: a small train split is read several times in each epoch.
_MINIMUM_STEPS = 100


@dataclass(frozen=True)
class TrainingInputs:
    """What a tagger is fitted to.

    Attributes:
        transform: Transform's output.
        labels: the tags by id.
        train: files of transformed examples.
        dev: files of transformed examples.
        vectors: file of pretrained vectors, if there is one.
        warm_start: SavedModel to start from, if there is one.
    """

    transform: tft.TFTransformOutput
    labels: tuple[str, ...]
    train: list[str]
    dev: list[str]
    vectors: str | None
    warm_start: str | None = None

    @classmethod
    def from_fn_args(cls, fn_args: FnArgs) -> "TrainingInputs":
        """Takes what TFX passes to Trainer and Tuner; `custom_config` may have `vectors`."""

        def files(patterns: list[str]) -> list[str]:
            return [file for pattern in patterns for file in tf.io.gfile.glob(pattern)]

        return cls(
            transform=tft.TFTransformOutput(fn_args.transform_graph_path),
            labels=label_map(
                curated_schema.entity_types(curated_schema.read_schema(fn_args.schema_path))
            ),
            train=files(fn_args.train_files),
            dev=files(fn_args.eval_files),
            vectors=fn_args.custom_config.get("vectors"),
            warm_start=fn_args.base_model,
        )


@dataclass(frozen=True)
class TrainingJob:
    """A training to run.

    Attributes:
        inputs: what to fit to.
        model: the group `model` of the settings.
        training: the group `training` of the settings.
        checkpoints: folder for the best weights, the record of the epochs and the state to continue
            from after a kill.
        tensorboard: folder for TensorBoard, if it is wanted.
    """

    inputs: TrainingInputs
    model: Model
    training: Training
    checkpoints: Path
    tensorboard: str | None = None


def run_fn(fn_args: FnArgs) -> None:
    """Trains, and writes the SavedModel to `fn_args.serving_model_dir`.

    Args:
        fn_args: `custom_config` has `model` and `training` (groups of settings as dicts),
            `tokenizer` (the granularity with which Transform tokenized), `corpus` (its name),
            `version` (the project's) and `checkpoints` (a folder for what is needed to continue
            after a kill); `vectors` (a file), where there are pretrained vectors.
    """
    config = fn_args.custom_config
    inputs = TrainingInputs.from_fn_args(fn_args)
    job = TrainingJob(
        inputs,
        Model(**config["model"]),
        Training(**config["training"]),
        Path(config["checkpoints"]),
        fn_args.model_run_dir,
    )
    best = fit(job, progress.emit)
    dev = compute_emissions(best.tagger, dev_batches(inputs, best.tagger))
    calibration = calibrate(best.tagger, dev)
    progress.emit(
        progress.Calibrated(
            outside_bias=calibration.outside_bias,
            temperature=calibration.temperature,
            odds=calibration.odds,
            f1=calibration.dev.f1,
            error=calibration.error,
        )
    )
    callbacks.write_record(
        Path(fn_args.model_run_dir),
        best.epochs,
        {
            "best_epoch": best.dev_scores["epoch"],
            "outside_bias": calibration.outside_bias,
            "temperature": calibration.temperature,
            "odds": calibration.odds,
            "odds_by_type": calibration.odds_by_type,
            "calibration_error": calibration.error,
        },
    )

    path = fn_args.serving_model_dir
    transform = preprocessing.TransformGraph(inputs.transform.transform_savedmodel_dir)
    granularity = parse_granularity(config["tokenizer"])
    signatures.save(signatures.ServingModule(transform, best.tagger, granularity), path)
    settings = {"model": config["model"], "training": config["training"]}
    scores = {
        **calibration.dev.as_dict(),
        "epoch": best.dev_scores["epoch"],
        "calibration_error": calibration.error,
    }
    model_card = card.Card(
        labels=inputs.labels,
        version=config["version"],
        corpus=config["corpus"],
        settings=settings,
        dev=scores,
        tensorflow=tf.__version__,
        tokenizer=str(granularity),
    )
    card.save_card(model_card, path)


@dataclass(frozen=True)
class BestTagger:
    """A tagger with the best weights of its training.

    Attributes:
        tagger: the tagger.
        dev_scores: f1, precision and recall on dev, and the epoch.
        epochs: the figures of each epoch (`callbacks.write_record`).
    """

    tagger: Tagger
    dev_scores: dict[str, float]
    epochs: list[dict[str, float]]


def fit(job: TrainingJob, report: progress.Listener) -> BestTagger:
    """Fits a tagger until dev's entity F1 no longer rises, in this process or in others, and
    deletes the checkpoints.

    Args:
        job: the training.
        report: takes the event of each epoch.

    Raises:
        UserError: training cannot be distributed as the settings say.
    """
    if job.training.distribute == "none":
        tagger = fit_tagger(job, report)
    else:
        tagger = new_tagger(job.inputs, job.model)
        subprocess_trainer.fit_tagger(job, report)
    best_weights = callbacks.BestWeights(job.checkpoints, job.training.patience)
    result = BestTagger(
        tagger=tagger,
        dev_scores=best_weights.restore(tagger),
        epochs=callbacks.load_epochs(job.checkpoints / callbacks.EPOCHS_FILE),
    )
    shutil.rmtree(job.checkpoints)
    return result


def fit_tagger(
    job: TrainingJob,
    report: progress.Listener,
    context: distributed.DistributedContext | None = None,
) -> Tagger:
    """Fits a new tagger until dev's entity F1 no longer rises.

    An epoch is one pass over train, or as many passes as `_MINIMUM_STEPS` steps need.

    Args:
        job: the training.
        report: takes the figures of each epoch; in processes other than the chief, its number and
            loss.
        context: the processes that train together, if there are several. Only the chief reads dev
            and writes files.

    Returns:
        The tagger as the last epoch left it; the best weights are in the job's checkpoints.
    """
    inputs, training = job.inputs, job.training
    keras.utils.set_random_seed(training.seed)
    scope = context.strategy.scope if context else contextlib.nullcontext
    with scope():
        tagger = new_tagger(inputs, job.model)
    train = load_batches(
        inputs.train,
        inputs.transform.transformed_feature_spec(),
        training.batch_size,
        shuffle_seed=training.seed,
    )
    counts = count_train(train, tagger)
    tagger.network.set_word_counts(counts.words)
    tagger.init_output_from_counts(counts.tag_bigrams)
    if inputs.warm_start:
        vocabularies = (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        names = {name: inputs.transform.vocabulary_by_name(name) for name in vocabularies}
        copied = warm_start.copy_weights(tagger, names, inputs.warm_start)
        progress.emit(progress.WarmStarted(*copied))
    passes = math.ceil(_MINIMUM_STEPS / counts.steps)
    schedule = keras.optimizers.schedules.PolynomialDecay(
        training.learning_rate, counts.steps * passes * training.epochs, training.learning_rate / 10
    )
    with scope():
        learner = Learner(tagger, training.lm_loss_weight)
        learner.compile(SparseAdam(schedule, training.gradient_norm))
    initial_epoch = 0
    if context and context.rank:
        training_callbacks = [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: report(
                    progress.WorkerEpochEnded(epoch + 1, training.epochs, logs["loss"])
                )
            )
        ]
    else:
        job.checkpoints.mkdir(parents=True, exist_ok=True)
        backup = callbacks.Backup(job.checkpoints / "backup")
        initial_epoch = backup.restore(learner)
        training_callbacks = [
            # First, as it adds dev's scores to the logs.
            callbacks.DevScores(dev_batches(inputs, tagger), report, training.epochs),
            callbacks.BestWeights(job.checkpoints, training.patience),
            callbacks.EpochRecord(
                job.checkpoints / callbacks.EPOCHS_FILE, passes * int(counts.words.sum())
            ),
            backup,
        ]
        if job.tensorboard:
            training_callbacks.append(keras.callbacks.TensorBoard(job.tensorboard, profile_batch=0))
    train = train.repeat(passes)
    if context is None:
        learner.fit(
            train,
            epochs=training.epochs,
            initial_epoch=initial_epoch,
            verbose=0,
            callbacks=training_callbacks,
        )
    else:
        tf.random.set_seed(training.seed + context.rank)  # each process drops other words
        distributed.fit(context, learner, train, training.epochs, training_callbacks, initial_epoch)
    return tagger


def new_tagger(inputs: TrainingInputs, settings: Model) -> Tagger:
    """Makes an untrained tagger for the vocabularies of the inputs, with pretrained vectors where
    there are any.
    """
    sizes = Sizes(
        *(
            inputs.transform.vocabulary_size_by_name(name)
            for name in (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        )
    )
    if not inputs.vectors:
        return Tagger(sizes, inputs.labels, settings)
    vocabulary = inputs.transform.vocabulary_by_name(preprocessing.WORDS)
    ids = {word.decode(): word_id for word_id, word in enumerate(vocabulary)}
    vectors = read_vectors(inputs.vectors, ids, settings.pretrained_only_words)
    progress.emit(
        progress.VectorsLoaded(
            known=len(vectors.known),
            words=len(ids),
            others=len(vectors.pretrained_only),
            dimensions=vectors.dimensions,
        )
    )
    sizes = sizes._replace(vectors=vectors.dimensions)
    tagger = Tagger(sizes, inputs.labels, settings, vectors.pretrained_only)
    known = {ids[word]: vector for word, vector in vectors.known.items()}
    tagger.network.set_pretrained(known, vectors.pretrained_only_vectors)
    return tagger


def dev_batches(inputs: TrainingInputs, tagger: Tagger) -> tf.data.Dataset:
    """Makes dev's batches, with corpus tags, for a tagger."""
    return load_batches(
        inputs.dev,
        inputs.transform.transformed_feature_spec(),
        _DEV_BATCH_SIZE,
        shuffle_seed=None,
        pretrained_only=tagger.pretrained_only,
        corpus_tags=True,
    )


class TrainCounts(NamedTuple):
    """Counts over train.

    Attributes:
        steps: batches.
        words: occurrences of each word, int [words + 1].
        tag_bigrams: occurrences of each tag bigram, as `Tagger.init_output_from_counts` takes them.
    """

    steps: int
    words: np.ndarray
    tag_bigrams: np.ndarray


def count_train(train: tf.data.Dataset, tagger: Tagger) -> TrainCounts:
    """Counts batches, words and tag bigrams of train."""
    boundary = len(tagger.labels)  # stands for the beginning and the end of a sentence
    size = boundary + 1
    steps = 0
    words = np.zeros(tagger.sizes.words + 1, np.int64)
    tag_bigrams = np.zeros(size * size, np.int64)
    for sentences, tag_ids in train:
        present = tf.sequence_mask(sentences.lengths, tf.shape(tag_ids)[1])
        words += np.bincount(tf.gather_nd(sentences.words, tf.where(present)), minlength=len(words))
        paths = tf.where(present, tag_ids, boundary)
        paths = tf.pad(paths, [[0, 0], [1, 1]], constant_values=boundary)
        pairs = tf.reshape(paths[:, :-1] * size + paths[:, 1:], [-1])
        tag_bigrams += np.bincount(pairs, minlength=len(tag_bigrams))
        steps += 1
    tag_bigrams = tag_bigrams.reshape(size, size)
    tag_bigrams[boundary, boundary] = 0  # counted in the padding
    return TrainCounts(steps, words, tag_bigrams)
