"""What the scheduler stores in `WORKDIR/schedule`: its state, the logs of runs, and the lock against a second scheduler."""

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import filelock
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from components import atomic_io
from components.errors import UserError
from pipeline import durations
from pipeline.exits import BAD_INPUT, DONE, REFUSED
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.process import Process
from pipeline.workdir import Workdir

# The hook to call; "" for a run that changed nothing, after which no hook is called.
Event = Literal["success", "failure", "refusal", ""]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RunInFlight(_Stored):
    """A run that was started and whose end has not been recorded yet.

    Attributes:
      trigger: Why the run was started.
      began: When it was started.
      log: Path of its log.
      runs: Names of the run folders that existed before it.
      versions: Published versions that existed before it.
      inputs: What it was started on.
      process: Its process; None between recording the run and starting the process.
    """

    trigger: str = Field(validation_alias=AliasChoices("trigger", "because"))
    began: datetime.datetime
    log: str
    runs: tuple[str, ...]
    versions: tuple[str, ...]
    inputs: Inputs
    process: Process | None = None


class RunResult(_Stored):
    """How a run ended, or why none could start.

    Attributes:
      code: Exit code.
      event: Which hook is called.
      trigger: Why the run was started; "" if no run could start.
      began: When it was started.
      seconds: How long it took.
      reason: Why it failed, was refused or published nothing.
      run: Name of its folder in `WORKDIR/runs`; "" if it made none.
      version: The version that it published; "" if none.
      f1: F1 over all types; None if nothing was evaluated.
      held: The gate accepted the model, but a rollback's hold keeps it from serving.
      until: The node after which the run stopped (`--until`); "" for a complete run.
      log: Path of its log.
      inputs: What it was started on; None if that could not be found out.
    """

    code: int
    event: Event
    trigger: str = Field(validation_alias=AliasChoices("trigger", "because"))
    began: datetime.datetime
    seconds: float
    reason: str = ""
    run: str = ""
    version: str = ""
    f1: float | None = None
    held: bool = False
    until: str = ""
    log: str = ""
    inputs: Inputs | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run reached its last node."""
        return self.code in (DONE, REFUSED)

    @property
    def is_complete(self) -> bool:
        """Whether the run reached the end of the pipeline: without a change no other run is needed."""
        return self.is_finished and not self.until

    @property
    def is_bad_input(self) -> bool:
        """Whether the input has to change before another try makes sense."""
        return self.code == BAD_INPUT

    def summary(self) -> str:
        """One line for the user."""
        if not self.trigger:
            return f"no run: {self.reason}"
        f1 = "" if self.f1 is None else f", F1 {self.f1:.4f}"
        after = f", after {durations.shown(self.seconds)}"
        if self.version:
            return f"published: version {self.version}{f1}{after}"
        if self.until:
            return f"up to {self.until}: {self.reason}{after}"
        refused = "not live" if self.held else "refused"
        verdict = {DONE: "nothing new to publish", REFUSED: refused}.get(self.code, "failed")
        return f"{verdict}: {self.reason}{f1}{after}"

    def as_dict(self) -> dict[str, Any]:
        """The facts for hooks and for `schedule status --json`."""
        facts = self.model_dump(mode="json", exclude={"code", "inputs"})
        return {"exit": self.code, **facts, "because": self.trigger}  # because: the old name


class State(_Stored):
    """What the scheduler remembers.

    Attributes:
      done: The last complete run.
      last: The last run, complete or not.
      in_flight: A run whose end has not been recorded yet.
      times: Text of the schedule that `due` belongs to.
      due: When to check for new data next.
    """

    done: RunResult | None = None
    last: RunResult | None = None
    in_flight: RunInFlight | None = Field(
        None, validation_alias=AliasChoices("in_flight", "flight")
    )
    times: str = ""
    due: datetime.datetime | None = None


class LockHolder(_Stored):
    """The scheduler that works in a workdir: its process, since when, and its schedule as text."""

    process: Process
    since: datetime.datetime
    times: str

    def __str__(self) -> str:
        since = f"since {self.since:%Y-%m-%d %H:%M:%S}"
        return f"process {self.process.pid} on {self.process.host}, {since} ({self.times})"


@dataclass(frozen=True)
class ScheduleFolder:
    """The folder `WORKDIR/schedule`."""

    workdir: Workdir

    @property
    def root(self) -> Path:
        return self.workdir.root / "schedule"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state_file(self) -> Path:
        return self.root / "state.json"

    @property
    def holder_file(self) -> Path:
        return self.root / "holder.json"

    def refuse_moved(self) -> None:
        """Raises UserError if the workdir was moved or removed since it was locked."""
        if not self.root.is_dir():
            raise UserError(
                f"{self.workdir.root}: the workdir was moved or removed while the scheduler waited;"
                " start it again with --workdir and the new path"
            )

    def read_state(self) -> State:
        """The stored state; an empty one if there is no valid file, which costs one run at most."""
        try:
            return State.model_validate_json(self.state_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return State()

    def update_state(self, **changes: object) -> None:
        """Stores the state with some fields changed."""
        state = self.read_state().model_copy(update=changes)
        atomic_io.write_text(self.state_file, state.model_dump_json(indent=1) + "\n")

    def holder(self) -> LockHolder | None:
        """The scheduler that works here now; None if there is none."""
        try:
            holder = LockHolder.model_validate_json(self.holder_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return holder if holder.process.is_alive or not holder.process.is_local else None

    @contextlib.contextmanager
    def locked(self, holder: LockHolder) -> Iterator[None]:
        """Creates the folder and locks it until the context or the process ends.

        Raises:
          UserError: Another scheduler holds the lock, or the folder cannot be written.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.root / ".lock", blocking=False)
            lock.acquire()
        except filelock.Timeout:
            raise UserError(
                f"{self.workdir.root}: a scheduler works here already: {self.holder() or 'unknown'};"
                " stop it first, or give another --workdir"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot write the schedule there ({error.strerror});"
                " give another --workdir"
            ) from None
        try:
            self.holder_file.write_text(holder.model_dump_json() + "\n", encoding="utf-8")
            yield
        finally:
            self.holder_file.unlink(missing_ok=True)
            lock.release()

    def new_log(self, now: datetime.datetime, keep: int) -> Path:
        """The path of a new log. Removes the oldest logs, so that `keep` remain with the new one."""
        name = now.astimezone(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
        for old in sorted(self.logs.glob("*.txt"))[: -keep + 1 or None]:
            old.unlink(missing_ok=True)
        return self.logs / f"{name}.txt"
