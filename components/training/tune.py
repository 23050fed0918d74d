"""The Tuner's `tuner_fn`: random search over the settings (Bergstra and Bengio 2012), judged by
entity F1 on dev.
"""

import tempfile
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import trial as trials
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components import progress
from components.settings import Model, Training
from components.training.run import TrainingInputs, TrainingJob, fit

_F1 = "f1"
# The values to try, by setting.
_CHOICES = {
    "training.learning_rate": (1e-3, 2e-3, 4e-3, 8e-3),
    "training.batch_size": (16, 32, 64),
    "training.lm_loss_weight": (0.0, 0.1, 0.3),
    "model.dropout": (0.3, 0.4, 0.5, 0.6),
    "model.word_dropout": (0.1, 0.3, 0.5, 0.8),
    "model.lstm_units": (64, 100, 150, 200),
    "model.character_filters": (30, 50, 100),
}


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search.

    Args:
        fn_args: `custom_config` has `model` and `training` (groups of settings as dicts, the first
            trial) and `trials` (how many to run); `vectors` (a file), where there are pretrained
            vectors.
    """
    config = fn_args.custom_config
    space = keras_tuner.HyperParameters()
    for key, values in _CHOICES.items():
        group, name = key.split(".")
        current = config[group][name]
        space.Choice(key, sorted({*values, current}), default=current, ordered=True)
    oracle = _RandomSearchFromDefaults(
        objective=keras_tuner.Objective(_F1, "max"),
        max_trials=config["trials"],
        seed=config["training"]["seed"],
        hyperparameters=space,
        tune_new_entries=False,
        max_consecutive_failed_trials=1,  # otherwise KerasTuner goes on after a failure
    )
    folder = {"directory": fn_args.working_dir, "project_name": "trials", "overwrite": True}
    tuner = _TaggerTuner(TrainingInputs.from_fn_args(fn_args), config, oracle=oracle, **folder)
    return TunerFnResult(tuner=tuner, fit_kwargs={"verbose": 0})


class _RandomSearchFromDefaults(keras_tuner.oracles.RandomSearchOracle):
    """Random search whose first trial is the current settings: the result is no worse than they
    are.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if not self.trials:
            values = dict(self.hyperparameters.values)
            return {"status": trials.TrialStatus.RUNNING, "values": values}
        return super().populate_space(trial_id)


class _TaggerTuner(keras_tuner.Tuner):
    """Fits a tagger in each trial, where KerasTuner's own would build a Keras model and call its
    `fit`.
    """

    def __init__(self, inputs: TrainingInputs, config: dict, **options):
        super().__init__(**options)
        self._inputs, self._config = inputs, config

    def run_trial(self, trial: trials.Trial, **_) -> dict[str, float]:
        chosen = trial.hyperparameters.values
        groups = {name: dict(self._config[name]) for name in ("model", "training")}
        for key, value in chosen.items():
            group, name = key.split(".")
            groups[group][name] = value
        model, training = Model(**groups["model"]), Training(**groups["training"])
        with tempfile.TemporaryDirectory() as folder:
            job = TrainingJob(self._inputs, model, training, Path(folder, "checkpoints"))
            dev_scores = fit(job, report=lambda _: None).dev_scores
        progress.emit(
            progress.TrialEnded(
                trial=int(trial.trial_id) + 1,
                trials=self.oracle.max_trials,
                f1=dev_scores[_F1],
                settings=dict(chosen),
            )
        )
        return {_F1: dev_scores[_F1]}
