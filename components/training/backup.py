"""What a training needs to go on after a kill: its state after the last epoch."""

import re
from pathlib import Path

import keras


class Backup(keras.callbacks.Callback):
    """Keeps the state after each epoch, the optimizer's too, and begins with the last that is whole.

    Keras's own BackupAndRestore writes over the one file it has: killed meanwhile, it leaves one that no later training can read.
    Here a file has its name once it is whole, and then the one before it goes.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder

    def on_train_begin(self, logs=None):
        if kept := self._kept():
            epochs = max(kept)
            self.model.load_weights(kept[epochs])
            self.model._initial_epoch = epochs  # where Keras's `fit` looks for it

    def on_epoch_end(self, epoch, logs=None):
        self._folder.mkdir(parents=True, exist_ok=True)
        earlier, new = self._kept(), self._folder / "new.weights.h5"
        self.model.save_weights(new, overwrite=True)
        new.replace(whole := self._folder / f"after-{epoch + 1}.weights.h5")
        for path in earlier.values():
            if path != whole:
                path.unlink()

    def _kept(self) -> dict[int, Path]:
        """Files by the number of epochs that were done: one, or two where it was killed before the earlier went."""
        names = (
            (path, re.fullmatch(r"after-(\d+)\.weights\.h5", path.name))
            for path in self._folder.glob("*")
        )
        return {int(name[1]): path for path, name in names if name}
