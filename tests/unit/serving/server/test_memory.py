"""Each thread of the server has its own malloc arena."""

import ctypes
import os
import subprocess
import sys

import pytest

# Prints the number of arenas after more threads than glibc's default limit have allocated at the same time.
_COUNT = """
import ctypes, os, re, sys, tempfile, threading
from pipeline.commands import serve
if "separate" in sys.argv:
    serve.separate_arenas()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
number = 8 * os.cpu_count() + 20
meeting = threading.Barrier(number)
def allocate():
    meeting.wait()
    c.malloc(1000)
    meeting.wait()
threads = [threading.Thread(target=allocate) for _ in range(number)]
for thread in threads: thread.start()
for thread in threads: thread.join()
c.fdopen.restype = ctypes.c_void_p
with tempfile.TemporaryFile() as file:
    stream = ctypes.c_void_p(c.fdopen(os.dup(file.fileno()), b"w"))
    c.malloc_info(0, stream)
    c.fclose(stream)
    file.seek(0)
    print(len(re.findall(rb"<heap nr=", file.read())) - number)
"""

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the C library is not glibc"
)


def arenas_beyond_the_threads(*arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_each_thread_has_an_arena():
    assert arenas_beyond_the_threads("separate") >= 0


def test_the_default_number_of_arenas_is_below_the_threads():
    assert arenas_beyond_the_threads() < 0


def test_malloc_arena_max_limits_the_arenas():
    assert arenas_beyond_the_threads("separate", MALLOC_ARENA_MAX="4") < 0
