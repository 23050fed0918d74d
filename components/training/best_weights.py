"""Early stopping that survives a kill."""

import json
import math
from pathlib import Path

import keras

from components.tagger.tagger import Tagger
from components.training import dev_score


class BestWeights(keras.callbacks.Callback):
    """Early stopping on dev's F1 that survives a kill: the best weights and the count of epochs without better ones lie
    in files. Keras's own EarlyStopping keeps both in memory.
    """

    def __init__(self, folder: Path, patience: int):
        super().__init__()
        self._weights, self._record = folder / "best.weights.h5", folder / "best.json"
        self._patience = patience

    def _read(self) -> dict[str, float]:
        return (
            json.loads(self._record.read_text())
            if self._record.exists()
            else {"f1": -math.inf, "epoch": -1}
        )

    def on_epoch_end(self, epoch, logs=None):
        best = self._read()
        # After a kill an epoch may be run again: its first result stands.
        if logs[dev_score.F1] > best["f1"]:
            beside = self._weights.with_name("new.weights.h5")
            self.model.tagger.save_weights(beside)
            beside.replace(self._weights)
            record = {
                "f1": logs[dev_score.F1],
                "precision": logs["val_precision"],
                "recall": logs["val_recall"],
                "epoch": epoch + 1,
            }
            partial = self._record.with_name("best.json.partial")
            partial.write_text(json.dumps(record))
            partial.replace(self._record)
        elif epoch + 1 - best["epoch"] >= self._patience:
            self.model.stop_training = True

    def restore(self, tagger: Tagger) -> dict[str, float]:
        """Gives a tagger the best weights, and returns their scores on dev."""
        tagger.load_weights(self._weights)
        return self._read()
