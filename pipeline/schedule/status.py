"""What is scheduled in a work folder, what is at work there, and how the last run ended."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from pipeline.schedule import run_result, state
from pipeline.schedule.places import Places

_TIME = "%Y-%m-%d %H:%M:%S"


def as_dict(places: Places) -> dict[str, Any]:
    """All of it, for programs. `holder` is None where no scheduler is at work, and then there is no next time."""
    found, holder = state.read(places.state), places.holder()
    return {
        "workdir": str(places.workdir.root),
        "holder": holder and holder.model_dump(mode="json"),
        "next": found.due.isoformat()
        if holder and found.due and found.times == holder.times
        else None,
        "in_flight": found.flight
        and found.flight.model_dump(mode="json", exclude={"inputs", "versions", "runs"}),
        "last": found.last and run_result.as_dict(found.last),
        "done": found.done and run_result.as_dict(found.done),
    }


def lines(places: Places) -> Iterator[str]:
    """All of it, for people."""
    found, holder = state.read(places.state), places.holder()
    yield f"scheduled  {holder or 'nothing: no scheduler is at work here'}"
    if holder and found.due and found.times == holder.times:
        yield f"next       {_shown(found.due)}"
    if found.flight:
        run, process = found.flight, found.flight.process
        began = f"{_shown(run.began)}  {run.because}"
        yield (
            f"at work    {began} (process {process.pid})"
            if process and process.alive
            else f"cut off    {began}"
        )
    if not found.last:
        yield "last       no run yet"
    elif not found.last.whole:
        yield f"last       {_ended(found.last)}"
    if found.done:
        yield f"{'last' if found.done == found.last else 'before':<11}{_ended(found.done)}"


def _ended(run: state.Ended) -> str:
    because = f" ({run.because})" if run.because else ""
    return f"{_shown(run.began)}  {run_result.summary(run)}{because}"


def _shown(time: datetime.datetime) -> str:
    return time.strftime(_TIME)
