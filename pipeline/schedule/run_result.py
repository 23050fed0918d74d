"""How a run ended: from what it left, for who reads it."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import durations
from pipeline.exits import BAD_INPUT, DONE, FAILED, REFUSED
from pipeline.schedule import child
from pipeline.schedule.state import Ended, Event, Flight
from pipeline.workdir import HELD

_EVENTS: dict[int, Event] = {DONE: "success", REFUSED: "refusal"}


def ended(
    flight: Flight,
    now: datetime.datetime,
    code: int,
    note: str,
    run: str,
    outcome: Mapping[str, Any],
) -> Ended:
    """How a run ended.

    Args:
      flight: the run.
      now: when it ended.
      code: its exit code.
      note: what is to be said about its end beside what it said itself, "" for nothing.
      run: the name of its folder, "" if it made none.
      outcome: what it left there, empty if it left none.
    """
    last_line = child.last_line(Path(flight.log))
    if code == BAD_INPUT and HELD in last_line:
        code = FAILED  # another run was quicker: that passes
    event, version, reason = _EVENTS.get(code, "failure"), "", ""
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
        reason = note or last_line or f"it ended with {code}"
    return Ended(
        code=code,
        event=event,
        because=flight.because,
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


def summary(ended: Ended) -> str:
    """How a run ended, in a line."""
    if not ended.because:
        return f"no run: {ended.reason}"
    f1 = "" if ended.f1 is None else f", F1 {ended.f1:.4f}"
    took = f", after {durations.shown(ended.seconds)}"
    if ended.version:
        return f"published: version {ended.version}{f1}{took}"
    if ended.until:
        return f"up to {ended.until}: {ended.reason}{took}"
    what = {DONE: "nothing new to publish", REFUSED: "not live" if ended.held else "refused"}.get(
        ended.code, "failed"
    )
    return f"{what}: {ended.reason}{f1}{took}"


def as_dict(ended: Ended) -> dict[str, Any]:
    """The same for programs."""
    return {"exit": ended.code, **ended.model_dump(mode="json", exclude={"code", "inputs"})}
