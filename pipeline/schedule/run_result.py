"""How a run ended: from its exit code, its log and the `outcome.json` in its folder."""

import datetime
import json
from collections.abc import Collection, Mapping
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


def read_outcome(workdir: Workdir, runs_before: Collection[str]) -> tuple[str, Mapping[str, Any]]:
    """Reads the outcome of the first run whose folder was not there before.

    Returns:
      The name of the run, or "" if there is no new one; and its outcome, empty if it left none.
    """
    run = next((name for name in run_names(workdir) if name not in runs_before), "")
    if not run:
        return "", {}
    try:
        return run, json.loads((workdir.runs / run / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return run, {}


def code_from_outcome(outcome: Mapping[str, Any]) -> int:
    """The exit code of a run that ended while no scheduler waited for it."""
    if not outcome:
        return FAILED
    return DONE if outcome.get("published") or outcome.get("until") else REFUSED


def make_result(
    flight: RunInFlight,
    now: datetime.datetime,
    code: int,
    note: str,
    run: str,
    outcome: Mapping[str, Any],
) -> RunResult:
    """Describes how a run ended.

    Args:
      flight: The run.
      now: When it ended.
      code: Its exit code.
      note: Why the scheduler stopped it, or "".
      run: Name of its folder; "" if it made none.
      outcome: Content of its `outcome.json`; empty if it left none.
    """
    last_line = _last_line(Path(flight.log))
    if code == BUSY:
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
        reason = note or last_line or f"exit code {code}"
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
