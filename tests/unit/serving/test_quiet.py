"""What is held back from standard error, in a process of its own: it is about file descriptors."""

import subprocess
import sys

import pytest

PROGRAM = """
import os
from components.export.quiet import _quiet_stderr
try:
    with _quiet_stderr():
        os.write(2, b"from below\\n")
        {last}
except ValueError:
    pass
os.write(2, b"after\\n")
"""


@pytest.mark.parametrize(
    ("last", "shown"), [("pass", "after\n"), ("raise ValueError", "from below\nafter\n")]
)
def test_is_shown_only_after_a_failure(last, shown):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(last=last)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, shown)


def test_a_process_without_standard_error_goes_on():
    program = "import os; os.close(2)\nfrom components.export.quiet import _quiet_stderr\nwith _quiet_stderr(): print('inside')"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "inside\n")
