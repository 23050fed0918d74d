"""The folder in which a pipeline lives: what lies where, and the lock that keeps two runs apart."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from components.errors import UserError
from components.publishing.versions import Folders

HELD = "is at work here"  # said by a run that finds another one at work; the scheduler tells it by this from bad input


@dataclass(frozen=True)
class Workdir:
    """Paths in a work folder.

    `tuned` holds the settings that a search found best, `artifacts` is TFX's pipeline root, `metadata` the SQLite file, `schema`
    the contract, `serving` the base folder of the published versions, `withdrawn` the versions that must not serve, `checkpoints`
    what training needs to go on after a kill, `runs` a folder a run, `reports` a folder for the report of each, `fetched` copies of
    what the settings name elsewhere.
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
    def withdrawn(self) -> Path:
        return self.root / "withdrawn" / self.name

    @property
    def versions(self) -> Folders:
        """The folders that published versions lie in."""
        return Folders(self.serving, self.withdrawn)

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def fetched(self) -> Path:
        return self.root / "fetched"

    def make(self) -> None:
        """Makes the folder. Raises UserError where that is not possible."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot make the work folder ({error.strerror}); give another with --workdir"
            ) from None

    @property
    def _holder(self) -> Path:
        return self.root / ".lock.holder"

    @property
    def holder(self) -> int:
        """The process that holds the work folder, or did when it was killed; 0 if there is none."""
        try:
            return int(self._holder.read_text(encoding="utf-8").removeprefix("process "))
        except (OSError, ValueError):
            return 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the work folder for one run; it is free again when the process ends, however it ends.

        Raises UserError at once if another run holds it.
        """
        lock = filelock.FileLock(self.root / ".lock", blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            who = f"process {self.holder}" if self.holder else "another run"
            raise UserError(
                f"{self.root}: {who} {HELD}; wait until it ends, or give another --workdir"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot lock the work folder ({error.strerror}); give another with --workdir"
            ) from None
        try:
            self._holder.write_text(f"process {os.getpid()}", encoding="utf-8")
            yield
        finally:
            self._holder.unlink(missing_ok=True)
            lock.release()
