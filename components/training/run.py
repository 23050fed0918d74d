"""The Trainer's `run_fn`: fits the tagger, calibrates it and saves it with its signatures."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.export import card, signatures
from components.features.preprocessing import TransformGraph
from components.ner.granularity import parse_granularity
from components.settings import Model, Training
from components.tagger.tagger import Tagger
from components.training import callbacks, subprocess_trainer
from components.training.calibration import calibrate, compute_emissions
from components.training.fit import TrainingInputs, TrainingJob, dev_batches, fit_tagger, new_tagger


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
    calibration = calibrate(best.tagger, compute_emissions(best.tagger, best.dev))
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
    transform = TransformGraph(inputs.transform.transform_savedmodel_dir)
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
        dev: dev's batches for it.
        dev_scores: f1, precision and recall on dev, and the epoch.
        epochs: the figures of each epoch (`callbacks.write_record`).
    """

    tagger: Tagger
    dev: tf.data.Dataset
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
        dev=dev_batches(job.inputs, tagger),
        epochs=callbacks.load_epochs(job.checkpoints / callbacks.EPOCHS_FILE),
    )
    shutil.rmtree(job.checkpoints)
    return result
