"""The Trainer's `run_fn`: fits the tagger on Transform's output and saves the best one with its signatures."""

import shutil
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
from components.training import dataset, dev_score
from components.training.best_weights import BestWeights
from components.training.calibration import calibrate
from components.training.optimizer import SparseAdam
from components.validation import contract
from serving import card, signatures, warmup

_DEV_BATCH = 256


def run_fn(fn_args: FnArgs) -> None:
    """Trains, and writes the SavedModel to `fn_args.serving_model_dir`.

    `fn_args.custom_config` has `model` and `training` (settings as dicts), `corpus` (its name), `version` (the project's)
    and `checkpoints`, a folder for what is needed to go on after a kill; it is gone when training is done; and, where there are
    pretrained vectors, `vectors`, their file.
    """
    config = fn_args.custom_config
    model_settings, training = Model(**config["model"]), Training(**config["training"])
    keras.utils.set_random_seed(training.seed)
    transform = tft.TFTransformOutput(fn_args.transform_output)
    label_map = labels.label_map(contract.types_of(contract.read(fn_args.schema_path)))

    sizes = Sizes(
        *(
            transform.vocabulary_size_by_name(name)
            for name in (preprocessing.WORDS, preprocessing.CHARACTERS, preprocessing.AFFIXES)
        )
    )
    tagger = _tagger(sizes, label_map, model_settings, transform, config.get("vectors"))

    spec = transform.transformed_feature_spec()
    train = dataset.batches(_files(fn_args.train_files), spec, training.batch_size, shuffle_seed=training.seed)
    dev = dataset.batches(_files(fn_args.eval_files), spec, _DEV_BATCH, shuffle_seed=None, others=tagger.words)
    best = _fit(tagger, train, dev, training, Path(config["checkpoints"]), fn_args.model_run_dir)
    calibration = calibrate(tagger, dev)
    progress.report(
        "calibration",
        boldness=calibration.boldness,
        temperature=calibration.temperature,
        f1=calibration.dev.f1,
        error=calibration.error,
    )

    path = fn_args.serving_model_dir
    signatures.save(signatures.Recogniser(transform.transform_features_layer(), tagger), path)
    warmup.write(path)
    settings = {"model": config["model"], "training": config["training"]}
    scores = {**calibration.dev.as_dict(), "epoch": best["epoch"], "calibration_error": calibration.error}
    card.write(card.Card(label_map, config["version"], config["corpus"], settings, scores), path)


def _files(patterns: list[str]) -> list[str]:
    return [file for pattern in patterns for file in tf.io.gfile.glob(pattern)]


def _tagger(
    sizes: Sizes, label_map: tuple[str, ...], settings: Model, transform: tft.TFTransformOutput, file: str | None
) -> Tagger:
    """A new tagger, its words as they begin or, where there is a file of pretrained vectors, as that has them."""
    if not file:
        return Tagger(sizes, label_map, settings)
    words = {word.decode(): number for number, word in enumerate(transform.vocabulary_by_name(preprocessing.WORDS))}
    found = vectors.read(file, words, settings.other_words)
    progress.report(
        "vectors", known=len(found.known), words=len(words), others=len(found.others), dimensions=found.dimensions
    )
    tagger = Tagger(sizes._replace(vectors=found.dimensions), label_map, settings, found.others)
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


def _fit(
    tagger: Tagger, train: tf.data.Dataset, dev: tf.data.Dataset, training: Training, checkpoints: Path, logs: str
) -> dict[str, float]:
    """Fits until dev's entity F1 no longer rises, leaves the best weights in the tagger, and returns their scores."""
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
    score = dev_score.DevScore(dev, tagger.labels, report=progress.epoch, epochs=training.epochs)
    keep = BestWeights(checkpoints, training.patience)
    tagger.fit(
        train,
        epochs=training.epochs,
        verbose=0,
        callbacks=[
            score,  # adds dev's scores to the logs, so it comes first
            keep,
            keras.callbacks.BackupAndRestore(str(checkpoints / "backup")),
            keras.callbacks.TensorBoard(logs, profile_batch=0),
        ],
    )
    best = keep.restore()
    shutil.rmtree(checkpoints)
    return best
