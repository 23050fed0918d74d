"""Puts the folder of the corpus generator on the path; it is a program, not a package of the project."""

import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "data"
sys.path.insert(0, str(DATA))


@pytest.fixture(scope="session")
def corpus():
    """The generated documents by split."""
    from starter_grammar.corpus import build

    return build()


@pytest.fixture(scope="session")
def starter() -> Path:
    """The folder of the committed files."""
    return DATA / "starter"
