"""One run, as a process of its own: started, waited for, ended when its time is over, and what came of it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pipeline.exits import DONE, FAILED, REFUSED
from pipeline.schedule import processes
from pipeline.schedule.clock import Clock
from pipeline.workdir import Workdir

_POLL = 1.0  # seconds
_TAIL = 4_096  # bytes of a log that are looked at for what went wrong


@dataclass(frozen=True)
class Limits:
    """Seconds: what a run may take, and what it gets to end when it is told to."""

    run: float
    grace: float


def start(command: Sequence[str], log: Path) -> subprocess.Popen:
    """Starts a run in a session of its own, so that what ends the scheduler does not end it unasked."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            env={**os.environ, "COLUMNS": "120", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait(
    pid: int, poll: Callable[[], Optional[int]], limits: Limits, clock: Clock
) -> tuple[Optional[int], str]:
    """Waits for a process to end, and ends it when its time is over or the scheduler is told to end.

    Args:
      pid: of the process, which leads a group.
      poll: gives its exit code, None while it runs.

    Returns its exit code, None if it was ended because the scheduler is to end, and what a user should know about the
    end beside what the process says itself.
    """
    until = clock.steady() + limits.run
    while (code := poll()) is None:
        rest = until - clock.steady()
        stopped = clock.wait(max(min(rest, _POLL), 0))
        if poll() is None and (stopped or rest <= 0):
            processes.end(pid, lambda: poll() is not None, limits.grace, clock)
            return (
                (None, "the scheduler was told to end") if stopped else (FAILED, "it took too long")
            )
    return (code, "") if code >= 0 else (FAILED, f"it was ended by {signal.Signals(-code).name}")


def runs(workdir: Workdir) -> tuple[str, ...]:
    """The names of the folders of all runs."""
    return tuple(sorted(path.name for path in workdir.runs.glob("*") if path.is_dir()))


def outcome(workdir: Workdir, before: Collection[str]) -> tuple[str, Mapping[str, Any]]:
    """The name of the first run's folder that is none of those `before`, "" without one, and its outcome, empty without one."""
    run = next((name for name in runs(workdir) if name not in before), "")
    if not run:
        return "", {}
    try:
        return run, json.loads((workdir.runs / run / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return run, {}


def code_of(outcome: Mapping[str, Any]) -> int:
    """The exit code of a run that nobody waited for, by what it left."""
    if not outcome:
        return FAILED
    return DONE if outcome.get("published") or outcome.get("until") else REFUSED


def last_line(log: Path) -> str:
    """The last line of a log, which is where a command tells what went wrong; without the program's name."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("tfx-ner: ") if lines else ""
