"""Fixtures of the command-line tests."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import cli

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Answer:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def tfx_ner(monkeypatch, capsys):
    """A function that runs a command in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tfx-ner", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code or 0
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def in_a_process():
    """A function that runs Python statements in a fresh process at the project's root and returns the output."""

    def run(statements):
        done = subprocess.run(
            [sys.executable, "-c", statements], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout

    return run
