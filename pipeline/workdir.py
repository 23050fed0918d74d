"""The workdir: the paths in it, its lock, and the record of where it was."""

import contextlib
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from components import atomic_io
from components.errors import BusyError, UserError
from components.publishing import canary
from components.publishing.versions import Folders


@dataclass(frozen=True)
class Location:
    """Where a workdir was when it was last used, as `workdir.json` records it to notice that it was moved or copied."""

    path: str  # its absolute path
    id: str  # tells apart the workdirs that share a database server; "" with SQLite
    database: str  # its database server, as "mysql://HOST:PORT/NAME"; "" with SQLite


@dataclass
class Workdir:
    """The paths in a workdir."""

    root: Path  # absolute path of the workdir
    name: str  # name of the model, under which it is published

    def __post_init__(self) -> None:
        root = self.root
        self.artifacts = root / "artifacts"  # TFX's pipeline root
        self.metadata = root / "metadata.sqlite"  # ML Metadata, unless it is on a database server
        self.schema = root / "schema" / "schema.pbtxt"  # the curated schema
        self.checkpoints = root / "checkpoints"  # what training resumes from after a kill
        self.runs = root / "runs"  # a folder for each run
        self.reports = root / "reports"  # a folder for the report of each run
        self.tuned = root / "tuned.yaml"  # the best settings of a search
        self.fetched = root / "fetched"  # copies of remote files that the settings name
        self.set_aside = root / "set-aside"  # files of unknown origin
        self.serving = root / "serving" / self.name  # the published versions
        self.withdrawn = root / "withdrawn" / self.name  # the versions that must not serve
        self.versions = Folders(self.serving, self.withdrawn)
        self.location_file = root / "workdir.json"
        self._holder_file = root / ".lock.holder"

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
          id: its id; if empty and there is a server, a new one is made.
        """
        location = Location(str(self.root), (id or uuid.uuid4().hex) if database else "", database)
        atomic_io.write_text(self.location_file, json.dumps(asdict(location), indent=1) + "\n")

    def make(self) -> None:
        """Creates the workdir. Raises UserError if that is not possible."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"cannot make the workdir ({error.strerror}); give another with --workdir"
            raise UserError(f"{self.root}: {problem}") from None

    @property
    def holder(self) -> int:
        """The id of the process that holds the lock, or held it when it was killed; 0 if there is none."""
        try:
            return int(self._holder_file.read_text(encoding="utf-8").removeprefix("process "))
        except (OSError, ValueError):
            return 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the workdir until the context or the process ends.

        Raises BusyError at once if another run holds it.
        """

        def busy() -> BusyError:
            holder = f"process {self.holder}" if self.holder else "another run"
            remedy = "wait until it ends, or give another --workdir"
            return BusyError(f"{self.root}: {holder} is using the workdir; {remedy}")

        with exclusive_lock(self.root / ".lock", busy, "--workdir"):
            try:
                self._holder_file.write_text(f"process {os.getpid()}", encoding="utf-8")
                if line := canary.migrate_labels(self.versions):
                    print(line, file=sys.stderr)
                yield
            finally:
                self._holder_file.unlink(missing_ok=True)


@contextlib.contextmanager
def exclusive_lock(path: Path, busy: Callable[[], UserError], option: str) -> Iterator[None]:
    """Locks a file, whose folder is made if needed, until the context or the process ends.

    Args:
      path: the lock file.
      busy: returns the error to raise if another process holds the lock.
      option: the option that names the folder, for the error message.

    Raises:
      UserError: the one of `busy`, or the folder cannot be written.
    """
    lock = filelock.FileLock(path, blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise busy() from None
    except OSError as error:
        problem = f"cannot write there ({error.strerror}); give another {option}"
        raise UserError(f"{path.parent}: {problem}") from None
    try:
        yield
    finally:
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
    matches = [name for name in names if name.startswith(prefix)]
    if prefix in matches or len(matches) == 1:
        return prefix if prefix in matches else matches[0]
    problem = f"{len(matches)} runs begin with it" if matches else "no such run"
    raise UserError(f"{prefix}: {problem}; expected one of {', '.join((matches or names)[-5:])}")
