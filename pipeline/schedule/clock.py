"""The clock that the scheduler goes by, put together from plain functions so that a test can give others."""

import contextlib
import datetime
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """`now` is the time on the wall, a `moment`; `steady` counts seconds that nobody can set, those of a suspended
    machine among them; `wait` sleeps for as many seconds, or less, and is true once the program was told to end.
    """

    now: Callable[[], datetime.datetime]
    steady: Callable[[], float]
    wait: Callable[[float], bool]


def moment(time: datetime.datetime) -> datetime.datetime:
    """The same with its distance from UTC in place of its zone: within a zone, Python reckons by the hands of the clock, which
    are off by an hour when summer time begins or ends in between.
    """
    return time.replace(tzinfo=datetime.timezone(time.utcoffset()))


@contextlib.contextmanager
def system_clock(zone: datetime.tzinfo) -> Iterator[Clock]:
    """The machine's clock. While the context is open, SIGTERM and SIGINT end the waiting, and nothing else."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Python writes a byte for each signal that has a handler; it is never read, so that every later wait ends at once.
    before_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield Clock(
            now=lambda: moment(datetime.datetime.now(zone)),
            steady=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
            wait=lambda seconds: bool(select.select([reader], [], [], max(seconds, 0))[0]),
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        os.close(reader)
        os.close(writer)
