"""Settings of TensorFlow that must precede its import, and an import that prints nothing."""

import os
import warnings
from types import ModuleType

from components.stdio import silence_stderr

_INTRA_OP, _INTER_OP = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"


def limit_threads(threads: int = 0) -> None:
    """Limits how many operations TensorFlow runs in parallel, here and in child processes.

    It has no effect after TensorFlow has started. A single operation runs on one thread, unless the
    environment sets TF_NUM_INTRAOP_THREADS: a step of the LSTM is too short to gain from several.

    Args:
      threads: the number of operations, 0 for one for each core.
    """
    os.environ.setdefault(_INTRA_OP, "1")
    if threads:
        os.environ[_INTER_OP] = str(threads)


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def import_tensorflow(threads: int = 0) -> ModuleType:
    """Imports TensorFlow and lists its devices; shows their output only if that fails.

    `threads` is as for `limit_threads`.
    """
    limit_threads(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow logs errors about absent GPUs
    with silence_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies ask users of Python 3.10 to upgrade
        import tensorflow as tf

        tf.config.list_physical_devices()
    return tf
