"""Makes `benchmarks`, which is not an installed package, importable from the project's folder."""

import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True, scope="session")
def project() -> Path:
    """The folder of the project, from which `benchmarks` can be imported."""
    sys.path.insert(0, str(PROJECT))
    return PROJECT
