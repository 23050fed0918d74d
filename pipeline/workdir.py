"""The workdir: the paths in it, its lock, and the record of where it was."""

import contextlib
import json
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from components import atomic_io
from components.errors import BusyError, UserError
from components.publishing import canary
from components.publishing.versions import Folders


@dataclass(frozen=True)
class Location:
    """What a workdir knows of itself, in `workdir.json`: it tells a workdir that was moved or copied."""

    path: str  # its absolute path when a command last held its lock
    id: str  # tells apart the workdirs that share a database server; "" with SQLite
    # the database server that holds its ML Metadata, as "mysql://HOST:PORT/NAME"; "" with SQLite
    database: str


@dataclass(frozen=True)
class Workdir:
    """The paths in a workdir."""

    root: Path  # the absolute path of the workdir
    name: str  # the name of the model, under which it is published

    @property
    def tuned(self) -> Path:
        """The settings that a search found best."""
        return self.root / "tuned.yaml"

    @property
    def artifacts(self) -> Path:
        """TFX's pipeline root."""
        return self.root / "artifacts"

    @property
    def metadata(self) -> Path:
        """ML Metadata, if it is in SQLite."""
        return self.root / "metadata.sqlite"

    @property
    def schema(self) -> Path:
        """The curated schema."""
        return self.root / "schema" / "schema.pbtxt"

    @property
    def serving(self) -> Path:
        """The folder of the published versions."""
        return self.root / "serving" / self.name

    @property
    def withdrawn(self) -> Path:
        """The folder of the versions that must not serve."""
        return self.root / "withdrawn" / self.name

    @property
    def versions(self) -> Folders:
        """The folders of the published versions."""
        return Folders(self.serving, self.withdrawn)

    @property
    def checkpoints(self) -> Path:
        """What training needs to go on after a kill."""
        return self.root / "checkpoints"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.root / "runs"

    @property
    def reports(self) -> Path:
        """One folder for the report of each run."""
        return self.root / "reports"

    @property
    def set_aside(self) -> Path:
        """Files of unknown origin."""
        return self.root / "set-aside"

    @property
    def fetched(self) -> Path:
        """Copies of remote files that the settings name."""
        return self.root / "fetched"

    @property
    def location_file(self) -> Path:
        """The record of where the workdir was."""
        return self.root / "workdir.json"

    @property
    def location(self) -> Location | None:
        """Where the workdir was when it was last used; None if nothing is recorded, as by old versions."""
        try:
            return Location(**json.loads(self.location_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write_location(self, database: str, id: str = "") -> None:
        """Records where the workdir is now.

        Args:
          database: the database server of its ML Metadata, "" with SQLite.
          id: the id that it has; without one it gets one if there is a server.
        """
        location = Location(str(self.root), (id or uuid.uuid4().hex) if database else "", database)
        atomic_io.write_text(self.location_file, json.dumps(asdict(location), indent=1) + "\n")

    def make(self) -> None:
        """Creates the workdir. Raises UserError if that is not possible."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot make the workdir ({error.strerror}); give another with --workdir"
            ) from None

    @property
    def _holder(self) -> Path:
        return self.root / ".lock.holder"

    @property
    def holder(self) -> int:
        """The number of the process that holds the workdir, or held it when it was killed; 0 if there is none."""
        try:
            return int(self._holder.read_text(encoding="utf-8").removeprefix("process "))
        except (OSError, ValueError):
            return 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the workdir until the context or the process ends.

        Raises BusyError at once if another run holds it.
        """
        lock = filelock.FileLock(self.root / ".lock", blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            who = f"process {self.holder}" if self.holder else "another run"
            raise BusyError(
                f"{self.root}: {who} is at work here; wait until it ends, or give another --workdir"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot lock the workdir ({error.strerror}); give another with --workdir"
            ) from None
        try:
            self._holder.write_text(f"process {os.getpid()}", encoding="utf-8")
            if line := canary.migrate_labels(self.versions):
                print(line, file=sys.stderr)
            yield
        finally:
            self._holder.unlink(missing_ok=True)
            lock.release()


def match_run_name(names: Sequence[str], prefix: str) -> str:
    """The one name of a run that is `prefix` or begins with it.

    >>> match_run_name(["20260101-1", "20260102-1"], "20260102")
    '20260102-1'

    Args:
      names: the names of runs, oldest first.
      prefix: what the user gave.

    Raises UserError if no name or more than one begins with it.
    """
    matching = [name for name in names if name == prefix] or [
        name for name in names if name.startswith(prefix)
    ]
    if len(matching) == 1:
        return matching[0]
    problem = f"{len(matching)} runs begin with it" if matching else "no such run"
    raise UserError(f"{prefix}: {problem}; expected one of {', '.join((matching or names)[-5:])}")
