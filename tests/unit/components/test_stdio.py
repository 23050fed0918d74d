"""Redirection of standard output and error, each test in its own process."""

import subprocess
import sys

import pytest

PROGRAM = """
import os
from components.stdio import silence_stderr
try:
    with silence_stderr():
        os.write(2, b"from below\\n")
        {last}
except ValueError:
    pass
os.write(2, b"after\\n")
"""


@pytest.mark.parametrize(
    ("last", "shown"), [("pass", "after\n"), ("raise ValueError", "from below\nafter\n")]
)
def test_standard_error_is_shown_only_after_a_failure(last, shown):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(last=last)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, shown)


def test_a_process_without_standard_error_continues():
    program = "import os; os.close(2)\nfrom components.stdio import silence_stderr\nwith silence_stderr(): print('inside')"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "inside\n")


def test_take_stdout_sends_other_output_to_stderr():
    program = (
        "import os\nfrom components.stdio import take_stdout\n"
        "stream = take_stdout()\nprint('printed', flush=True)\nprint('answer', file=stream, flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("answer\n", "printed\n")
