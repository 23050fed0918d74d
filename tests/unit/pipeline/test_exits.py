"""The temporary folder of a process that exits without finalizing its libraries."""

import os
import subprocess
import sys

import pytest

LEAVES_THINGS = """
import os, subprocess, sys, tempfile
from pipeline import exits
exits.use_own_temporary_folder()
exits.use_own_temporary_folder()
tempfile.mkdtemp()
subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkstemp()"], check=True)
child = os.fork()
if not child:
    exits.leave(0)
os.waitpid(child, 0)
print(len(os.listdir(tempfile.gettempdir())), flush=True)
"""


@pytest.mark.parametrize(("end", "code"), [("exits.leave(3)", 3), ("sys.exit(2)", 2), ("", 0)])
def test_the_temporary_files_of_a_process_and_its_children_are_removed(tmp_path, end, code):
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_THINGS + end],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "2\n", "")
    assert list(tmp_path.iterdir()) == []
