"""The record of a training: the figures of each epoch, and what was fitted after the last.

    {"epochs": [{"epoch": 1, "loss": …, "precision": …, "recall": …, "f1": …, "learning_rate": …, "seconds": …, "tokens": …}, …],
     "best_epoch": …, "boldness": …, "temperature": …, "odds": …, "odds_by_type": {…: …}, "calibration_error": …}

Precision, recall and F1 are of entities on dev; `seconds` are those of the steps alone, `tokens` those of train.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import keras

from components.training import dev_score

FILE = "training.json"
EPOCHS = "epochs.json"  # beside what is needed to go on after a kill


class EpochRecord(keras.callbacks.Callback):
    """Keeps the figures of each epoch in a file, for after a kill an epoch is all that is run again.

    Args:
      path: the file.
      tokens: in an epoch.
    """

    def __init__(self, path: Path, tokens: int):
        super().__init__()
        self._path, self._tokens = path, tokens

    def on_epoch_end(self, epoch, logs=None):
        figures = {
            "epoch": epoch + 1,
            "loss": float(logs["loss"]),
            "precision": logs["val_precision"],
            "recall": logs["val_recall"],
            "f1": logs[dev_score.F1],
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": logs[dev_score.SECONDS],
            "tokens": self._tokens,
        }
        partial = self._path.with_suffix(".partial")
        partial.write_text(
            json.dumps([*(one for one in read(self._path) if one["epoch"] <= epoch), figures])
        )
        partial.replace(self._path)


def read(path: Path) -> list[dict[str, float]]:
    """The epochs in the file of an `EpochRecord`."""
    return json.loads(path.read_text()) if path.exists() else []


def write(folder: str, epochs: list[dict[str, float]], fitted: Mapping[str, float]) -> None:
    """Writes the record into a folder; `fitted` has what is not of an epoch."""
    os.makedirs(folder, exist_ok=True)
    Path(folder, FILE).write_text(
        json.dumps({"epochs": epochs, **fitted}, indent=1) + "\n", encoding="utf-8"
    )
