"""Keras callbacks of a training: dev's scores, the best weights, the record of the epochs, and the
state after each of them.

All files of a training are complete at any time, so that a run that is killed can continue.
"""

import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components import atomic_io, progress
from components.tagger.tagger import Tagger
from components.training import calibration

# Keys that `DevScores` adds to an epoch's logs.
F1, PRECISION, RECALL = "val_f1", "val_precision", "val_recall"
SECONDS = "seconds"


class DevScores(keras.callbacks.Callback):
    """Adds entity scores on dev, and the seconds of the training steps, to the logs of each epoch,
    and reports them.

    Args:
        dev: batches with corpus tags (`load_batches`).
        report: takes the event of an epoch.
        epochs: the most epochs that there may be.
    """

    def __init__(self, dev: tf.data.Dataset, report: progress.Listener, epochs: int):
        super().__init__()
        self._dev, self._report, self._epochs = dev, report, epochs
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs[SECONDS] = time.monotonic() - self._started
        tagger = self.model.tagger
        batches = calibration.compute_emissions(tagger, self._dev)
        # float() does not take a variable of several replicas.
        outside_bias = float(keras.ops.convert_to_numpy(tagger.outside_bias))
        dev = calibration.score(tagger, batches, outside_bias)
        logs[F1], logs[PRECISION], logs[RECALL] = dev.f1, dev.precision, dev.recall
        self._report(
            progress.EpochEnded(
                epoch=epoch + 1,
                epochs=self._epochs,
                loss=float(logs["loss"]),
                seconds=logs[SECONDS],
                f1=dev.f1,
                precision=dev.precision,
                recall=dev.recall,
            )
        )


class BestWeights(keras.callbacks.Callback):
    """Early stopping on dev's F1, with the best weights and their scores in files: Keras's own
    keeps both in memory.

    Args:
        folder: for the files.
        patience: epochs without a better F1 after which training stops.
    """

    def __init__(self, folder: Path, patience: int):
        super().__init__()
        self._weights, self._scores = folder / "best.weights.h5", folder / "best.json"
        self._patience = patience

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        best = self._load_scores()
        # After a kill an epoch may run again: the result of its first run is kept.
        if logs[F1] > best["f1"]:
            partial = self._weights.with_name("new.weights.h5")
            self.model.tagger.save_weights(partial, overwrite=True)
            partial.replace(self._weights)
            figures = {
                "f1": logs[F1],
                "precision": logs[PRECISION],
                "recall": logs[RECALL],
                "epoch": epoch + 1,
            }
            atomic_io.write_text(self._scores, json.dumps(figures))
        elif epoch + 1 - best["epoch"] >= self._patience:
            self.model.stop_training = True

    def _load_scores(self) -> dict[str, float]:
        if not self._scores.exists():
            return {"f1": -math.inf, "epoch": -1}
        return json.loads(self._scores.read_text())

    def restore(self, tagger: Tagger) -> dict[str, float]:
        """Loads the best weights into a tagger, and returns their scores on dev: f1, precision,
        recall, epoch.
        """
        tagger.load_weights(self._weights)
        return self._load_scores()


class Backup(keras.callbacks.Callback):
    """Saves the state after each epoch, with the optimizer's, to continue from after a kill.

    Keras's BackupAndRestore overwrites its only file: a kill meanwhile leaves one that cannot be
    read. Here a file gets its name when it is complete, and then the previous one is deleted.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder

    def restore(self, learner: keras.Model) -> int:
        """Loads the last state, if there is one, and returns the number of epochs that were
        completed: `fit`'s initial epoch.
        """
        backups = self._find_backups()
        if not backups:
            return 0
        epochs = max(backups)
        learner.load_weights(backups[epochs])
        return epochs

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        earlier, partial = self._find_backups(), self._folder / "new.weights.h5"
        self.model.save_weights(partial, overwrite=True)
        complete = self._folder / f"after-{epoch + 1}.weights.h5"
        partial.replace(complete)
        for path in earlier.values():
            if path != complete:
                path.unlink()

    def _find_backups(self) -> dict[int, Path]:
        """Files by completed epochs: one, or two after a kill between writing the new and deleting
        the old.
        """
        matches = (
            (path, re.fullmatch(r"after-(\d+)\.weights\.h5", path.name))
            for path in self._folder.glob("*")
        )
        return {int(match[1]): path for path, match in matches if match}


# --- The record of a training ---

RECORD_FILE = "training.json"
EPOCHS_FILE = "epochs.json"  # until the training is complete


class EpochRecord(keras.callbacks.Callback):
    """Keeps the figures of each epoch in a file.

    Args:
        path: the file.
        tokens: of an epoch.
    """

    def __init__(self, path: Path, tokens: int):
        super().__init__()
        self._path, self._tokens = path, tokens

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        figures = {
            "epoch": epoch + 1,
            "loss": float(logs["loss"]),
            "precision": logs[PRECISION],
            "recall": logs[RECALL],
            "f1": logs[F1],
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": logs[SECONDS],
            "tokens": self._tokens,
        }
        # After a kill an epoch may run again: its last run counts.
        earlier = [entry for entry in load_epochs(self._path) if entry["epoch"] <= epoch]
        atomic_io.write_text(self._path, json.dumps([*earlier, figures]))


def load_epochs(path: Path) -> list[dict[str, float]]:
    """Loads the file of an `EpochRecord`; empty if it does not exist."""
    return json.loads(path.read_text()) if path.exists() else []


def write_record(folder: Path, epochs: list[dict[str, float]], fitted: Mapping[str, Any]) -> None:
    """Writes `training.json`, the record that the report reads.

        {"epochs": [{"epoch": 1, "loss": …, "precision": …, "recall": …, "f1": …,
                     "learning_rate": …, "seconds": …, "tokens": …}, …],
         "best_epoch": …, "outside_bias": …, "temperature": …, "odds": …,
         "odds_by_type": {…}, "calibration_error": …}

    Args:
        folder: for the file.
        epochs: the figures of each epoch. Scores are of entities on dev; `seconds` are those of the
            training steps alone, `tokens` those of train.
        fitted: what was fitted after the last epoch.
    """
    text = json.dumps({"epochs": epochs, **fitted}, indent=1) + "\n"
    atomic_io.write_text(folder / RECORD_FILE, text)
