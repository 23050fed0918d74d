"""Measures what a command costs: wall seconds, and the peak memory of its largest process.

Run as a program, `cost.py RESULT COMMAND…` is the command's parent. The kernel counts the memory of
a process from its fork on, when it still has its parent's memory: this parent is small enough not
to count.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """A command failed. The message names the command, the last line of its output (`last`) and the
    log.
    """

    def __init__(self, log: Path, code: int):
        lines = [
            line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
        self.last = next(filter(None, reversed(lines)), "it wrote nothing")
        super().__init__(
            f"{log.stem} ended with {code}: {self.last}. The log has the whole story: {log}"
        )


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    Attributes:
        seconds: on the clock.
        peak_mb: the largest resident set of a single process, in MB, over the command and the
            child processes it waited for.
    """

    seconds: float
    peak_mb: float


def of(command: Sequence[str], log: Path, cwd: Path | None = None) -> Cost:
    """Runs a command to its end; its output goes to `log`. Raises Failed."""
    result = log.with_suffix(".cost.json")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "-I", __file__, str(result), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:  # interrupted: the command ends too
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code:
        raise Failed(log, code)
    return Cost(**json.loads(result.read_text()))


def _main(result: str, *command: str) -> int:
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    Path(result).write_text(
        json.dumps({"seconds": seconds, "peak_mb": used.ru_maxrss * 1024 / 1e6})
    )
    return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
