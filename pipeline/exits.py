"""The exit codes of every command."""

import os
import sys

from pipeline import temporary

DONE = 0
FAILED = 1  # a failure of the program or its surroundings
BAD_INPUT = 2  # bad input or usage
REFUSED = 3  # the run finished, and the gate let nothing through
NOTHING_NEW = 4  # said by `schedule look` alone
BUSY = 75  # another run holds the workdir; EX_TEMPFAIL of sysexits.h
STOPPED = 130  # by the user, as shells count it


def leave(code: int) -> None:
    """Ends the process without tearing TensorFlow down, which takes seconds and prints errors of its own."""
    temporary.clear()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
