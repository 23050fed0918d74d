"""The generator is a program, not a package of the project: its folder is put on the path here."""

import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "data"
sys.path.insert(0, str(DATA))


@pytest.fixture(scope="session")
def corpus():
    """Documents by split, as the program makes them."""
    from starter_grammar.corpus import build

    return build()


@pytest.fixture(scope="session")
def starter() -> Path:
    """The folder of the committed files."""
    return DATA / "starter"
