"""Fixtures of the fast tests."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _commands_end_by_an_exception(monkeypatch):
    """A command ends its process at once where TensorFlow is loaded, as another test may have done here."""
    monkeypatch.setattr("pipeline.exits.leave", sys.exit)


@pytest.fixture
def write(tmp_path):
    """Writes a file into an otherwise empty folder: name, then text or bytes. Gives its path."""

    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


@pytest.fixture
def real_corpora():
    """The folder of real corpora, which is not part of the project."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return folder
