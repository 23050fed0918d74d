"""Fits a tagger on Transform's output, as the Trainer and the Tuner both do."""

import shutil
from dataclasses import dataclass

import tensorflow as tf

from components import progress
from components.tagger.tagger import Tagger
from components.training import apart, record
from components.training.best_weights import BestWeights
from components.training.epochs import dev_batches, train
from components.training.material import Job, new_tagger


@dataclass(frozen=True)
class Fitted:
    """A tagger with its best weights, dev as it takes it, and what they reach there: f1, precision, recall, epoch.

    `epochs` has the figures of each epoch, as `components.training.record` has them.
    """

    tagger: Tagger
    dev: tf.data.Dataset
    best: dict[str, float]
    epochs: list[dict[str, float]]


def fit(job: Job, report: progress.Listener) -> Fitted:
    """Fits until dev's entity F1 no longer rises; the checkpoints are gone when training is done. `report` gets the figures of each
    epoch.

    Raises UserError where training is distributed, and cannot be as the settings say.
    """
    if job.training.distribute == "none":
        tagger = train(job, report)
    else:
        tagger = new_tagger(job.given, job.model)
        apart.train(job, report)
    best = BestWeights(job.checkpoints, job.training.patience).restore(tagger)
    fitted = Fitted(
        tagger, dev_batches(job.given, tagger), best, record.read(job.checkpoints / record.EPOCHS)
    )
    shutil.rmtree(job.checkpoints)
    return fitted
