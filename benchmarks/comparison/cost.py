"""Measures what a command costs: seconds, and the peak memory of its largest process.

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


class CommandFailed(Exception):
    """A command failed. The message names the command, its last line of output and its log.

    Attributes:
        last_line: the last line of its output.
    """

    def __init__(self, log: Path, code: int):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        self.last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        super().__init__(
            f"{log.stem} ended with {code}: {self.last_line or 'no output'}; see {log}"
        )


@dataclass(frozen=True)
class Cost:
    """What a command cost."""

    seconds: float  # on the clock
    # The largest resident set of a single process, in MB, over the command and the child processes
    # it waited for.
    peak_mb: float


def run_command(command: Sequence[str], log: Path, cwd: Path | None = None) -> Cost:
    """Runs a command to its end; its output is appended to `log`. Raises CommandFailed."""
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
        raise CommandFailed(log, code)
    return Cost(**json.loads(result.read_text()))


def _main(result: str, *command: str) -> int:
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds, peak_mb = time.monotonic() - began, usage.ru_maxrss * 1024 / 1e6
    Path(result).write_text(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))
    return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
