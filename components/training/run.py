"""The Trainer's `run_fn`: fits the tagger on Transform's output and saves the best one with its signatures."""

from pathlib import Path

from tfx.components.trainer.fn_args_utils import FnArgs

from components import progress
from components.export import card, signatures, warmup
from components.features.transform_graph import TransformGraph
from components.settings import Model, Training
from components.training import record
from components.training.calibration import calibrate
from components.training.fitting import fit
from components.training.material import Job, material


def run_fn(fn_args: FnArgs) -> None:
    """Trains, and writes the SavedModel to `fn_args.serving_model_dir`.

    `fn_args.custom_config` has `model` and `training` (settings as dicts), `corpus` (its name), `version` (the project's)
    and `checkpoints`, a folder for what is needed to go on after a kill; and, where there are pretrained vectors, `vectors`,
    their file.
    """
    config = fn_args.custom_config
    given = material(fn_args)
    job = Job(
        given,
        Model(**config["model"]),
        Training(**config["training"]),
        Path(config["checkpoints"]),
        fn_args.model_run_dir,
    )
    fitted = fit(job, progress.emit)
    calibration = calibrate(fitted.tagger, fitted.dev)
    progress.emit(
        progress.Calibrated(
            outside_bias=calibration.boldness,
            temperature=calibration.temperature,
            odds=calibration.odds,
            f1=calibration.dev.f1,
            error=calibration.error,
        )
    )
    record.write(
        fn_args.model_run_dir,
        fitted.epochs,
        {
            "best_epoch": fitted.best["epoch"],
            "boldness": calibration.boldness,
            "temperature": calibration.temperature,
            "odds": calibration.odds,
            "odds_by_type": calibration.odds_by_type,
            "calibration_error": calibration.error,
        },
    )

    path = fn_args.serving_model_dir
    transform = TransformGraph(given.transform.transform_savedmodel_dir)
    signatures.save(signatures.Recogniser(transform, fitted.tagger), path)
    warmup.write(path)
    settings = {"model": config["model"], "training": config["training"]}
    scores = {
        **calibration.dev.as_dict(),
        "epoch": fitted.best["epoch"],
        "calibration_error": calibration.error,
    }
    card.write(card.Card(given.labels, config["version"], config["corpus"], settings, scores), path)
