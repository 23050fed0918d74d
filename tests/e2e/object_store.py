"""A server that speaks S3 on this machine: moto's, from the environment that `make storage` makes."""

import contextlib
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.storage.remote import Remote

_PYTHON = Path(__file__).resolve().parents[2] / ".venv-storage" / "bin" / "python"
_PROGRAM = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""
MISSING = "a server that speaks S3 is not installed: make storage installs it in .venv-storage"


@dataclass(frozen=True)
class Store:
    """A server with one empty bucket; `variables` in the environment lead to it."""

    bucket: str
    variables: dict[str, str]

    def __truediv__(self, key: str) -> Remote:
        return Remote(f"s3://{self.bucket}/{key}")

    def names(self, folder: str) -> list[str]:
        """The files in a folder, by their names from there on."""
        base = self / folder
        return [place.address.removeprefix(f"{base}/") for place, _ in base.listing()]


def installed() -> bool:
    return _PYTHON.exists()


@contextlib.contextmanager
def object_store() -> Iterator[Store]:
    """Runs such a server, which this process sees, too."""
    command = [_PYTHON, "-c", _PROGRAM]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            port = int(server.stdout.readline())
            bucket = f"bucket-{port}"  # Arrow's connections are kept by the bucket's name
            request = urllib.request.Request(f"http://127.0.0.1:{port}/{bucket}", method="PUT")
            urllib.request.urlopen(request, timeout=60).close()
            variables = {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "somebody",
                "AWS_SECRET_ACCESS_KEY": "something",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            with pytest.MonkeyPatch.context() as patched:
                for name, value in variables.items():
                    patched.setenv(name, value)
                yield Store(bucket, variables)
        finally:
            server.kill()
