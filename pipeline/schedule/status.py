"""What `tfx-ner schedule status` shows: the schedule, the run at work, and how the last run ended."""

import datetime
from collections.abc import Iterator
from typing import Any

from pipeline.schedule.state import LockHolder, RunResult, ScheduleFolder, State


def as_dict(folder: ScheduleFolder) -> dict[str, Any]:
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


def lines(folder: ScheduleFolder) -> Iterator[str]:
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
