"""Where the scheduler keeps things, and the lock by which there is one of it in a work folder."""

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import UserError
from pipeline.schedule.processes import Process
from pipeline.workdir import Workdir


class Holder(BaseModel):
    """Who schedules runs in a work folder: the process, since when, and at which times."""

    model_config = ConfigDict(frozen=True)

    process: Process
    since: datetime.datetime
    times: str

    def __str__(self) -> str:
        return f"process {self.process.pid} on {self.process.host}, since {self.since:%Y-%m-%d %H:%M:%S} ({self.times})"


@dataclass(frozen=True)
class Places:
    """`root` is `WORKDIR/schedule`."""

    workdir: Workdir

    @property
    def root(self) -> Path:
        return self.workdir.root / "schedule"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def holder_file(self) -> Path:
        return self.root / "holder.json"

    def holder(self) -> Optional[Holder]:
        """Who schedules runs here now, None if nobody does."""
        try:
            holder = Holder.model_validate_json(self.holder_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return holder if holder.process.alive or not holder.process.here else None

    @contextlib.contextmanager
    def held(self, holder: Holder) -> Iterator[None]:
        """Makes the folder and holds it; it is free again when the process ends, however it ends.

        Raises UserError at once where another scheduler holds it.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.root / ".lock", blocking=False)
            lock.acquire()
        except filelock.Timeout:
            who = self.holder() or "another one"
            raise UserError(
                f"{self.workdir.root}: a scheduler is at work here already: {who}; end it first, or give another --workdir"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot keep the schedule there ({error.strerror}); give another with --workdir"
            ) from None
        try:
            self.holder_file.write_text(holder.model_dump_json() + "\n", encoding="utf-8")
            yield
        finally:
            self.holder_file.unlink(missing_ok=True)
            lock.release()

    def new_log(self, now: datetime.datetime, keep: int) -> Path:
        """A name for a run's log, with the oldest ones removed so that there are `keep` with it."""
        name = now.astimezone(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
        for old in sorted(self.logs.glob("*.txt"))[: -keep + 1 or None]:
            old.unlink(missing_ok=True)
        return self.logs / f"{name}.txt"
