"""Redirects standard output and standard error of this process, its children and C++ code.

It redirects file descriptors, since C++ code and child processes do not use `sys.stdout`.
"""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def log_to_file(log: Path, use_stderr: bool = False) -> Iterator[IO[str]]:
    """Appends all output to a log file, INFO records of `logging` included.

    Args:
      log: the file.
      use_stderr: whether to yield the original standard error in place of standard output.

    Yields:
      A text stream to the original standard output (or standard error), for the user.
    """
    shown = os.dup(_STDERR if use_stderr else _STDOUT)
    level = logging.root.level
    logging.root.setLevel(logging.INFO)
    try:
        with (
            os.fdopen(shown, "w", encoding="utf-8") as terminal,
            log.open("ab") as file,
            _redirected(file.fileno(), _STDOUT, _STDERR),
        ):
            yield terminal
    finally:
        logging.root.setLevel(level)


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discards the block's output to standard error, or shows it if the block raises.

    Not for blocks in which other threads write to standard error.
    """
    with tempfile.TemporaryFile() as held:
        try:
            with _redirected(held.fileno(), _STDERR):
                yield
        except BaseException:
            held.seek(0)
            with contextlib.suppress(OSError):  # started without a standard error
                os.write(_STDERR, held.read())
            raise


def take_stdout() -> IO[str]:
    """Returns a stream to standard output, and sends everything else that is printed to stderr.

    For a process whose standard output is read by a program.
    """
    stream = os.fdopen(os.dup(_STDOUT), "w", encoding="utf-8")
    os.dup2(_STDERR, _STDOUT)
    return stream


def discard_stdout() -> None:
    """Sends standard output to the null device after its reader has closed the pipe.

    Python would flush it at exit, and fail.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _redirected(target: int, *descriptors: int) -> Iterator[None]:
    """Points descriptors to `target` in the block; ignores closed descriptors."""
    _flush()
    originals = {}
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            originals[descriptor] = os.dup(descriptor)
            os.dup2(target, descriptor)
    try:
        yield
    finally:
        _flush()
        for descriptor, original in originals.items():
            os.dup2(original, descriptor)
            os.close(original)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
