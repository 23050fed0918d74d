"""A temporary folder of the process's own, for what libraries leave behind: the sources of TensorFlow's graphs, Beam's folders."""

import atexit
import os
import shutil
import tempfile
from typing import Optional

_owned: Optional[tuple[int, str]] = None  # the process, and its folder


def own() -> None:
    """Puts what is temporary, of this process and of those it starts from here on, into a new folder that goes with it.

    For a process that ends by itself: a folder that nothing touches for days may be cleared away under it.
    """
    global _owned
    if _is_ours():
        return
    _owned = os.getpid(), tempfile.mkdtemp(prefix="tfx-ner-")
    os.environ["TMPDIR"] = tempfile.tempdir = _owned[1]
    atexit.register(clear)


def clear() -> None:
    """Takes the folder away, if this process has one."""
    if _is_ours():
        shutil.rmtree(_owned[1], ignore_errors=True)


def _is_ours() -> bool:
    return (
        _owned is not None and _owned[0] == os.getpid()
    )  # a process that was forked knows its parent's
