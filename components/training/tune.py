"""The Tuner's `tuner_fn`: looks for better settings by random search (Bergstra and Bengio 2012), judged by entity F1 on dev."""

import tempfile
from pathlib import Path

import keras_tuner
from keras_tuner.engine import trial as trials
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components import progress
from components.settings import Model, Training
from components.training.fitting import fit
from components.training.material import Job, Material, material

_F1 = "f1"
# What is tried, by group and name of the setting.
_CHOICES = {
    "training.learning_rate": (1e-3, 2e-3, 4e-3, 8e-3),
    "training.batch_size": (16, 32, 64),
    "training.foretelling": (0.0, 0.1, 0.3),
    "model.dropout": (0.3, 0.4, 0.5, 0.6),
    "model.word_dropout": (0.1, 0.3, 0.5, 0.8),
    "model.lstm_units": (64, 100, 150, 200),
    "model.character_filters": (30, 50, 100),
}

_GROUPS = {"model": Model, "training": Training}


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """The search. `fn_args.custom_config` has `model` and `training`, the settings to begin with, `trials`, how many to try, and,
    where there are pretrained vectors, `vectors`, their file."""
    config = fn_args.custom_config
    space = keras_tuner.HyperParameters()
    for key, values in _CHOICES.items():
        group, name = key.split(".")
        now = config[group][name]
        space.Choice(key, sorted({*values, now}), default=now, ordered=True)
    oracle = _FromWhereWeAre(
        objective=keras_tuner.Objective(_F1, "max"),
        max_trials=config["trials"],
        seed=config["training"]["seed"],
        hyperparameters=space,
        tune_new_entries=False,
        max_consecutive_failed_trials=1,  # a trial that fails shows a fault; KerasTuner would go on without a word
    )
    folder = {"directory": fn_args.working_dir, "project_name": "trials", "overwrite": True}
    search = _Search(material(fn_args), config, oracle=oracle, **folder)
    return TunerFnResult(tuner=search, fit_kwargs={"verbose": 0})


class _FromWhereWeAre(keras_tuner.oracles.RandomSearchOracle):
    """Random search whose first trial is the settings in force: what it finds is no worse than they are."""

    def populate_space(self, trial_id):
        if not self.trials:
            return {
                "status": trials.TrialStatus.RUNNING,
                "values": dict(self.hyperparameters.values),
            }
        return super().populate_space(trial_id)


class _Search(keras_tuner.Tuner):
    """Fits a tagger a trial. KerasTuner's own way would build a model and call its `fit`."""

    def __init__(self, given: Material, config: dict, **options):
        super().__init__(**options)
        self._given, self._config = given, config

    def run_trial(self, trial, **_) -> dict[str, float]:
        chosen = trial.hyperparameters.values
        model, training = (
            kind(**_changed(self._config[group], group, chosen)) for group, kind in _GROUPS.items()
        )
        with tempfile.TemporaryDirectory() as folder:
            job = Job(self._given, model, training, Path(folder, "checkpoints"))
            best = fit(job, report=lambda _: None).best
        number = int(trial.trial_id) + 1
        progress.emit(progress.TrialEnded(number, self.oracle.max_trials, best[_F1], dict(chosen)))
        return {_F1: best[_F1]}


def _changed(settings: dict, group: str, chosen: dict) -> dict:
    """A group of settings with the chosen ones in their places."""
    return {
        **settings,
        **{
            key.partition(".")[2]: value
            for key, value in chosen.items()
            if key.startswith(group + ".")
        },
    }
