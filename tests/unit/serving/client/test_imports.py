"""The imports of a program that uses the client."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
HEAVY = {
    "tensorflow",
    "tensorflow_serving",
    "tfx",
    "apache_beam",
    "keras",
    "numpy",
    "pipeline",
    "components",
}


@pytest.mark.parametrize(
    ("statement", "without"),
    [
        ("import serving.client", {"httpx", "grpc", "google.protobuf"}),
        (
            "from serving.client import Client; Client('http://localhost:1')",
            {"grpc", "google.protobuf"},
        ),
        ("from serving.client import Client; Client('grpc://localhost:1').close()", {"httpx"}),
        ("from serving.client import AsyncClient; AsyncClient('grpc://localhost:1')", {"httpx"}),
    ],
)
def test_the_client_imports_no_unused_package(statement, without):
    program = f"{statement}\nimport sys\nprint(*(name for name in {sorted(HEAVY | without)} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
