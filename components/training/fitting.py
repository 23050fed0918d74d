"""Fits a tagger on Transform's output, as the Trainer and the Tuner both do."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from components.settings import Model, Training
from components.tagger.tagger import Tagger
from components.training import apart, record
from components.training.best_weights import BestWeights
from components.training.epochs import dev_batches, train
from components.training.material import Material, new_tagger


@dataclass(frozen=True)
class Fitted:
    """A tagger with its best weights, dev as it takes it, and what they reach there: f1, precision, recall, epoch.

    `epochs` has the figures of each epoch, as `components.training.record` has them.
    """

    tagger: Tagger
    dev: tf.data.Dataset
    best: dict[str, float]
    epochs: list[dict[str, float]]


def fit(
    given: Material,
    settings: Model,
    training: Training,
    checkpoints: Path,
    report: Callable[[dict], None],
    board: str | None = None,
) -> Fitted:
    """Fits until dev's entity F1 no longer rises.

    Args:
      given: what to fit on.
      settings, training: the tagger's sizes, and how it is fitted.
      checkpoints: a folder for what is needed to go on after a kill; it is gone when training is done.
      report: gets the figures of each epoch.
      board: a folder for TensorBoard.

    Raises UserError where training is distributed, and cannot be as the settings say.
    """
    if training.distribute == "none":
        tagger = train(given, settings, training, checkpoints, report, board)
    else:
        tagger = new_tagger(given, settings)
        apart.train(given, settings, training, checkpoints, report, board)
    keep = BestWeights(checkpoints, training.patience)
    keep.set_model(tagger)
    fitted = Fitted(tagger, dev_batches(given, tagger), keep.restore(), record.read(checkpoints / record.EPOCHS))
    shutil.rmtree(checkpoints)
    return fitted
