"""Fixtures of the unit tests."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _commands_end_by_an_exception(monkeypatch):
    """Makes commands raise SystemExit, because `leave` ends the process at once if TensorFlow is loaded."""
    monkeypatch.setattr("pipeline.exits.leave", sys.exit)


@pytest.fixture
def write(tmp_path):
    """A function that writes text or bytes to a file in the test's folder and returns its path."""

    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


@pytest.fixture
def real_corpora():
    """The folder of real corpora, which is outside the project; skips the test without it."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return folder
