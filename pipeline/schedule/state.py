"""What the scheduler stores in `WORKDIR/schedule`: its state, logs and lock; how a run ended; and what `schedule status` shows."""

import contextlib
import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from components import atomic_io
from components.errors import UserError
from pipeline import durations
from pipeline.exits import BAD_INPUT, BUSY, DONE, FAILED, REFUSED
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.process import Process
from pipeline.workdir import Workdir, exclusive_lock

# The hook to call; "" for a run that changed nothing, after which no hook is called.
Event = Literal["success", "failure", "refusal", ""]
_EVENTS: dict[int, Event] = {DONE: "success", REFUSED: "refusal"}
_LOG_TAIL_BYTES = 4_096


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RunInFlight(_Stored):
    """A run that was started and whose end has not been recorded yet."""

    # why the run was started
    trigger: str = Field(validation_alias=AliasChoices("trigger", "because"))
    began: datetime.datetime  # when it was started
    log: str  # path of its log
    runs: tuple[str, ...]  # names of the run folders that existed before it
    versions: tuple[str, ...]  # published versions that existed before it
    inputs: Inputs  # what it was started on
    # its process; None between recording the run and starting the process
    process: Process | None = None


class RunResult(_Stored):
    """How a run ended, or why none could start."""

    code: int  # exit code
    event: Event  # which hook is called
    # why the run was started; "" if no run could start
    trigger: str = Field(validation_alias=AliasChoices("trigger", "because"))
    began: datetime.datetime  # when it was started
    seconds: float  # how long it took
    reason: str = ""  # why it failed, was refused or published nothing
    run: str = ""  # name of its folder in `WORKDIR/runs`; "" if it made none
    version: str = ""  # the version that it published; "" if none
    f1: float | None = None  # F1 over all types; None if nothing was evaluated
    held: bool = False  # the gate accepted the model, but a rollback's hold keeps it from serving
    until: str = ""  # the node after which the run stopped (`--until`); "" for a complete run
    log: str = ""  # path of its log
    inputs: Inputs | None = None  # what it was started on; None if they could not be read

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
    """What the scheduler remembers."""

    done: RunResult | None = None  # the last complete run
    last: RunResult | None = None  # the last run, complete or not
    # a run whose end has not been recorded yet
    in_flight: RunInFlight | None = Field(
        None, validation_alias=AliasChoices("in_flight", "flight")
    )
    times: str = ""  # text of the schedule that `due` belongs to
    due: datetime.datetime | None = None  # when to check for new data next


class LockHolder(_Stored):
    """The scheduler that works in a workdir: its process, since when, and its schedule as text."""

    process: Process
    since: datetime.datetime
    times: str

    def __str__(self) -> str:
        since = f"since {self.since:%Y-%m-%d %H:%M:%S}"
        return f"process {self.process.pid} on {self.process.host}, {since} ({self.times})"


@dataclass
class ScheduleFolder:
    """The folder `WORKDIR/schedule`."""

    workdir: Workdir

    def __post_init__(self) -> None:
        self.root = self.workdir.root / "schedule"
        self.logs = self.root / "logs"
        self.state_file = self.root / "state.json"
        self.holder_file = self.root / "holder.json"

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
          UserError: another scheduler holds the lock, or the folder cannot be written.
        """

        def busy() -> UserError:
            at_work = f"a scheduler works here already: {self.holder() or 'unknown'}"
            remedy = "stop it first, or give another --workdir"
            return UserError(f"{self.workdir.root}: {at_work}; {remedy}")

        with exclusive_lock(self.root / ".lock", busy, "--workdir"):
            try:
                self.logs.mkdir(exist_ok=True)
                self.holder_file.write_text(holder.model_dump_json() + "\n", encoding="utf-8")
                yield
            finally:
                self.holder_file.unlink(missing_ok=True)

    def new_log(self, now: datetime.datetime, keep: int) -> Path:
        """The path of a new log. Removes the oldest logs, so that `keep` remain with the new one."""
        name = now.astimezone(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
        for old in sorted(self.logs.glob("*.txt"))[: -keep + 1 or None]:
            old.unlink(missing_ok=True)
        return self.logs / f"{name}.txt"


def run_names(workdir: Workdir) -> tuple[str, ...]:
    """The names of the folders of all runs, oldest first."""
    return tuple(sorted(path.name for path in workdir.runs.glob("*") if path.is_dir()))


def read_result(
    workdir: Workdir, flight: RunInFlight, now: datetime.datetime, code: int | None, note: str = ""
) -> RunResult | None:
    """How a run ended.

    Args:
      workdir: the workdir.
      flight: the run.
      now: when it ended.
      code: its exit code; None if no scheduler waited for it.
      note: why the scheduler stopped it, or "".

    Returns:
      The result; None if neither an exit code nor an outcome is known.
    """
    run, outcome = _read_outcome(workdir, flight)
    if code is None:
        if not outcome:
            return None
        code = DONE if outcome.get("published") or outcome.get("until") else REFUSED
    elif code == BUSY:
        code = FAILED  # another run has the workdir: try again later
    event: Event = _EVENTS.get(code, "failure")
    version, reason = "", ""
    until = outcome.get("until", "") if code == DONE else ""
    if until:
        event, reason = "", f"{outcome['next']} is next"
    elif code == DONE:
        version = Path(outcome.get("published") or "").name
        if version in flight.versions:
            version, event, reason = "", "", "the model is published already"
    elif code == REFUSED:
        reason = outcome.get("held") or "; ".join(outcome.get("reasons", ())) or "the gate refused"
        if outcome.get("nothing_ran"):
            event = ""
    else:
        reason = note or _last_line(Path(flight.log)) or f"exit code {code}"
    return RunResult(
        code=code,
        event=event,
        trigger=flight.trigger,
        began=flight.began,
        seconds=round((now - flight.began).total_seconds(), 1),
        reason=reason,
        run=run,
        version=version,
        f1=outcome.get("overall", {}).get("f1"),
        held=bool(outcome.get("held")),
        until=until,
        log=flight.log,
        inputs=flight.inputs,
    )


def status_as_dict(folder: ScheduleFolder) -> dict[str, Any]:
    """The status for programs. `holder` and `next` are None while no scheduler works there."""
    state, holder = folder.read_state(), folder.holder()
    next_check, flight = _next_check(state, holder), state.in_flight
    return {
        "workdir": str(folder.workdir.root),
        "holder": holder and holder.model_dump(mode="json"),
        "next": next_check and next_check.isoformat(),
        "in_flight": flight
        and flight.model_dump(mode="json", exclude={"inputs", "versions", "runs"}),
        "last": state.last and state.last.as_dict(),
        "done": state.done and state.done.as_dict(),
    }


def status_lines(folder: ScheduleFolder) -> Iterator[str]:
    """The status for people."""
    state, holder = folder.read_state(), folder.holder()
    yield f"scheduled  {holder or 'nothing: no scheduler works here'}"
    if next_check := _next_check(state, holder):
        yield f"next       {_format_time(next_check)}"
    if flight := state.in_flight:
        began = f"{_format_time(flight.began)}  {flight.trigger}"
        if flight.process and flight.process.is_alive:
            yield f"running    {began} (process {flight.process.pid})"
        else:
            yield f"cut off    {began}"
    if not state.last:
        yield "last       no run yet"
    elif not state.last.is_complete:
        yield f"last       {_format_result(state.last)}"
    if state.done:
        yield f"{'last' if state.done == state.last else 'before':<11}{_format_result(state.done)}"


def _next_check(state: State, holder: LockHolder | None) -> datetime.datetime | None:
    return state.due if holder and state.times == holder.times else None


def _format_result(result: RunResult) -> str:
    trigger = f" ({result.trigger})" if result.trigger else ""
    return f"{_format_time(result.began)}  {result.summary()}{trigger}"


def _format_time(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _read_outcome(workdir: Workdir, flight: RunInFlight) -> tuple[str, Mapping[str, Any]]:
    """The name of the run's folder, "" if it made none; and its outcome, empty if it left none."""
    run = next((name for name in run_names(workdir) if name not in flight.runs), "")
    try:
        return run, json.loads((workdir.runs / run / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return run, {}


def _last_line(log: Path) -> str:
    """The last line of a log, where a command reports its error, without the program's name."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("tfx-ner: ") if lines else ""
