"""What the server asks of the C library's allocator; nothing where that is not glibc's."""

import contextlib
import ctypes
import os

_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h
_ARENAS = 1000  # more than there are threads


def separate() -> None:
    """Gives each thread of this process memory of its own to allocate from, as long as it has only few threads yet.

    glibc has eight such arenas a core, and threads that come later share them. There are dozens, and whether the two that run the
    model met in one was chance: then they waited for each other at each allocation, and the server answered a fifth less.
    Who sets MALLOC_ARENA_MAX has that many.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)


def trim() -> None:
    """Gives freed memory back to the system. In small pieces, as a model's is, it stays with the process otherwise."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
