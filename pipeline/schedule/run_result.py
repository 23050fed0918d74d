"""How a run ended: from its exit code, its log and the `outcome.json` in its folder."""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.exits import BUSY, DONE, FAILED, REFUSED
from pipeline.schedule.state import Event, RunInFlight, RunResult
from pipeline.workdir import Workdir

_EVENTS: dict[int, Event] = {DONE: "success", REFUSED: "refusal"}
_LOG_TAIL_BYTES = 4_096


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
