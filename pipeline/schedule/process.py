"""The clock of the scheduler, and the processes of its runs: start, wait, stop, and identify one after a restart."""

import contextlib
import datetime
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from pipeline.exits import FAILED

_POLL_SECONDS = 1.0
_STOP_POLL_SECONDS = 0.1
# The time when a process was created is computed from the time of boot, which has whole seconds.
_CREATED_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Clock:
    """The time functions that the scheduler uses; tests pass their own."""

    now: Callable[[], datetime.datetime]  # the wall-clock time, with a fixed UTC offset
    monotonic: Callable[[], float]  # seconds that do not change when the wall clock is set
    wait: Callable[[float], bool]  # sleeps for seconds; True, at once, if the scheduler has to stop


@contextlib.contextmanager
def system_clock(zone: datetime.tzinfo) -> Iterator[Clock]:
    """The machine's clock in a time zone. SIGTERM and SIGINT end its `wait` while the context is open."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Python writes a byte to the pipe for each signal, even one that arrives just before `select`.
    # It is never read, so that all later waits end at once too.
    previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    previous_handlers = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield Clock(
            now=lambda: fixed_offset(datetime.datetime.now(zone)),
            monotonic=time.monotonic,
            wait=lambda seconds: bool(select.select([reader], [], [], max(seconds, 0))[0]),
        )
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous_fd)
        os.close(reader)
        os.close(writer)


def fixed_offset(moment: datetime.datetime) -> datetime.datetime:
    """Replaces the time zone of an aware time by its UTC offset.

    Python compares and subtracts two times of one zone by the wall clock, which is wrong across a
    change to or from summer time.
    """
    return moment.replace(tzinfo=datetime.timezone(moment.utcoffset() or datetime.timedelta()))


class Process(BaseModel):
    """Identity of a process. The creation time tells it from a later process with the same number."""

    model_config = ConfigDict(frozen=True)

    pid: int
    host: str  # name of its machine
    created: float = 0.0  # seconds since 1970; 0 in files of earlier versions

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The identity of the process that has this number now."""
        try:
            created = psutil.Process(pid).create_time()
        except psutil.Error:
            created = 0.0
        return cls(pid=pid, host=socket.gethostname(), created=created)

    @property
    def is_local(self) -> bool:
        """Whether it belongs to this machine; processes of other machines cannot be checked."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it runs on this machine now. A zombie does not run."""
        if not self.is_local:
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= _CREATED_TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def start(command: Sequence[str], log: Path) -> subprocess.Popen:
    """Starts a run that writes to `log`, in a session of its own: signals to the scheduler do not reach it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, "COLUMNS": "120", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait(
    pid: int, poll: Callable[[], int | None], limit: float, grace: float, clock: Clock
) -> tuple[int | None, str]:
    """Waits for a run to end. Stops it after `limit` seconds, and when the scheduler has to stop.

    Args:
      pid: id of the process, which leads a process group.
      poll: returns its exit code, None while it runs.
      limit: seconds that the run may take.
      grace: seconds between SIGTERM and SIGKILL.
      clock: measures the limit.

    Returns:
      The exit code, or None if the scheduler has to stop; and why the run was stopped, or "".
    """
    deadline = clock.monotonic() + limit
    while (code := poll()) is None:
        remaining = deadline - clock.monotonic()
        stop_requested = clock.wait(max(min(remaining, _POLL_SECONDS), 0))
        if (stop_requested or remaining <= 0) and poll() is None:
            _stop(pid, poll, grace)
            if stop_requested:
                return None, "the scheduler was told to stop"
            return FAILED, "it took too long"
    return (code, "") if code >= 0 else (FAILED, f"it was ended by {signal.Signals(-code).name}")


def _stop(pid: int, poll: Callable[[], int | None], grace: float) -> None:
    """Sends SIGTERM to the leader of a process group, and SIGKILL to the group after `grace` seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while poll() is None and time.monotonic() < deadline:
        time.sleep(_STOP_POLL_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    while poll() is None:
        time.sleep(_STOP_POLL_SECONDS)
