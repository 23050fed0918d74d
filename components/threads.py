"""How many threads TensorFlow takes.

Not one operation on several threads, but several operations side by side: the directions of the recurrence, the batches. A step of
the recurrence is so short that to split it over two threads takes longer than to do it in one.
"""

import os

_WITHIN, _SIDE_BY_SIDE = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"


def limit(threads: int = 0) -> None:
    """Tells TensorFlow, which must not have begun in this process, to take so many threads; 0 is one a core.

    The processes that this one starts inherit it. Who sets TF_NUM_INTRAOP_THREADS
    splits operations over so many threads all the same.
    """
    os.environ.setdefault(_WITHIN, "1")
    if threads:
        os.environ[_SIDE_BY_SIDE] = str(threads)


def available() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
