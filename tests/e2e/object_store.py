"""A local S3 server: moto, from the environment that `make storage` makes."""

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
MISSING = "an S3 server is not installed: make storage installs it in .venv-storage"


@dataclass(frozen=True)
class Store:
    """A server with one bucket."""

    bucket: str
    variables: dict[str, str]
    """Environment variables that make a client use the server."""

    def __truediv__(self, key: str) -> Remote:
        return Remote(f"s3://{self.bucket}/{key}")

    def names(self, folder: str) -> list[str]:
        """The paths of all files in a folder, relative to it."""
        base = self / folder
        return [path.address.removeprefix(f"{base}/") for path, _ in base.listing()]


def installed() -> bool:
    return _PYTHON.exists()


@contextlib.contextmanager
def object_store() -> Iterator[Store]:
    """Runs a server with one empty bucket; this process's environment leads to it as well."""
    command = [_PYTHON, "-c", _PROGRAM]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            port = int(server.stdout.readline())
            bucket = f"bucket-{port}"  # Arrow's connections are cached by the bucket's name
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
