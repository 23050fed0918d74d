"""What the tests of the command line share."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import cli

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def tfx_ner(monkeypatch, capsys):
    """Runs a command in this process, as the program would."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tfx-ner", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code or 0
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def in_a_process():
    """Runs Python statements in a fresh process at the project's root, and gives what they print."""

    def run(statements):
        done = subprocess.run(
            [sys.executable, "-c", statements], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout

    return run
