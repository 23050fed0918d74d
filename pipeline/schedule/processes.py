"""Processes: which one it is beyond doubt, whether it still lives, and how it is ended in order."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.schedule.clock import Clock

_POLL = 0.5  # seconds


class Process(BaseModel):
    """A process, told from a later one with the same number by the boot it belongs to and the tick it began at."""

    model_config = ConfigDict(frozen=True)

    pid: int
    host: str
    boot: str
    tick: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process that has this number now."""
        return cls(pid=pid, host=socket.gethostname(), boot=_boot(), tick=_tick(pid))

    @property
    def here(self) -> bool:
        """Whether it is, or was, one of this machine's; of another one's, nobody here can tell whether it runs."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether it runs on this machine."""
        return self.here and self.boot == _boot() and self.tick == _tick(self.pid) != 0


def end(pid: int, gone: Callable[[], bool], grace: float, clock: Clock) -> None:
    """Ends a process that leads a group: SIGTERM to it, and when `grace` seconds have passed, SIGKILL to the group."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until = clock.steady() + grace
    while not gone() and clock.steady() < until:
        _nap(clock)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    while not gone():
        _nap(clock)


def _nap(clock: Clock) -> None:
    """Sleeps a little, also when the program was told to end, which makes every wait of the clock's return at once."""
    if clock.wait(_POLL):
        time.sleep(_POLL / 10)


def _boot() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id")).strip()


def _tick(pid: int) -> int:
    """When the process began, in ticks since the machine did; 0 if there is none, or only its exit code is left."""
    # The name of the program, in parentheses, may hold anything.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[19]) if fields and fields[0] != "Z" else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
