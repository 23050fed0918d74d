"""The exit codes of all commands; ending a process fast, and without leaving temporary files."""

import atexit
import os
import shutil
import sys
import tempfile

DONE = 0  # for `run`: a model is published
FAILED = 1  # a failure of the program or its environment
BAD_INPUT = 2  # bad input or usage
REFUSED = 3  # the run finished, and the gate refused the model
NOTHING_NEW = 4  # of `schedule look` only
BUSY = 75  # another run is using the workdir; EX_TEMPFAIL of sysexits.h
STOPPED = 130  # stopped by the user; 128 + SIGINT, as in shells

_temporary_folder: tuple[int, str] | None = None  # the process that made it, and its path


def leave(code: int) -> None:
    """Ends the process at once: tearing TensorFlow down takes seconds, and prints errors."""
    _remove_temporary_folder()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def use_own_temporary_folder() -> None:
    """Sends temporary files of this process and its future children to a new folder, removed at exit.

    Libraries leave files behind: TensorFlow the sources of its graphs, Beam its staging folders. Not
    for processes that run for days, since a system may remove an old temporary folder.
    """
    global _temporary_folder  # noqa: PLW0603 - one folder a process, as one working directory
    if _is_own_folder():
        return
    _temporary_folder = os.getpid(), tempfile.mkdtemp(prefix="tfx-ner-")
    os.environ["TMPDIR"] = tempfile.tempdir = _temporary_folder[1]
    atexit.register(_remove_temporary_folder)


def _remove_temporary_folder() -> None:
    if _is_own_folder():
        shutil.rmtree(_temporary_folder[1], ignore_errors=True)


def _is_own_folder() -> bool:
    """Whether this process made the folder; a forked child knows its parent's."""
    return _temporary_folder is not None and _temporary_folder[0] == os.getpid()
