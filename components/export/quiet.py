"""Keeps a user's screen free of what TensorFlow's C++ code says before anybody can configure it."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from components import threads as thread_counts


def import_tensorflow(threads: int = 0) -> ModuleType:
    """TensorFlow, imported and its devices found without a word; what it has to say shows if that fails.

    `threads` is how many it takes, 0 for one a core, if it has not begun yet.
    """
    thread_counts.limit(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it greets with errors about absent GPUs
    with _quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # libraries that it brings tell users of Python 3.10 to upgrade
        import tensorflow as tf

        tf.config.list_physical_devices()
    return tf


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Holds back all that this process writes to standard error, and shows it only if the block fails.

    By the file descriptor, since C++ writes past `sys.stderr`. Not for blocks in which other threads have something to say.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # started without a standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
