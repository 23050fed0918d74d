"""The folder in which a pipeline lives: what lies where, and the lock that keeps two runs apart."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from components.errors import UserError


@dataclass(frozen=True)
class Workdir:
    """Paths in a work folder.

    `tuned` holds the settings that a search found best, `artifacts` is TFX's pipeline root, `metadata` the SQLite file, `schema`
    the contract, `serving` the base folder of the published versions, `checkpoints` what training needs to go on after a kill,
    `runs` a folder a run.
    """

    root: Path
    name: str

    @property
    def tuned(self) -> Path:
        return self.root / "tuned.yaml"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def metadata(self) -> Path:
        return self.root / "metadata.sqlite"

    @property
    def schema(self) -> Path:
        return self.root / "schema" / "schema.pbtxt"

    @property
    def serving(self) -> Path:
        return self.root / "serving" / self.name

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def make(self) -> None:
        """Makes the folder. Raises UserError where that is not possible."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot make the work folder ({error.strerror}); give another with --workdir"
            ) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the work folder for one run; it is free again when the process ends, however it ends.

        Raises UserError at once if another run holds it.
        """
        lock = filelock.FileLock(self.root / ".lock", blocking=False)
        holder = self.root / ".lock.holder"
        try:
            lock.acquire()
        except filelock.Timeout:
            who = holder.read_text(encoding="utf-8").strip() if holder.exists() else "another run"
            raise UserError(
                f"{self.root}: {who} is at work here; wait until it ends, or give another --workdir"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot lock the work folder ({error.strerror}); give another with --workdir"
            ) from None
        try:
            holder.write_text(f"process {os.getpid()}", encoding="utf-8")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()
