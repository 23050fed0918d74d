"""The distribution tfx-ner-client, installed into an empty environment."""

import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from tests.unit.fake_servers import SERVERS, Model

ROOT = Path(__file__).resolve().parents[4]
DEPENDENCIES = ("grpcio", "httpx", "protobuf")

PROGRAM = """
import asyncio, sys
from importlib import metadata
from importlib.util import find_spec
from tfx_ner_client import AsyncClient, Client

assert not [name for name in ("tensorflow", "tfx", "numpy", "components") if find_spec(name)]
names = {line.split(">")[0] for line in metadata.requires("tfx-ner-client")}
assert names == {"grpcio", "httpx", "protobuf"}, names

async def predict(url):
    async with AsyncClient(url) as client:
        return await client.predict(["Ada met Bob", ""])

for url in sys.argv[1:]:
    with Client(url) as client:
        assert client.check().version == 7
        assert [entity.text for entity in client.predict_one("Ada met Bob")] == ["Ada", "Bob"]
        assert client.predict(["Ada met Bob", ""]) == asyncio.run(predict(url))
print("ok")
"""


def run(*command):
    """Runs a command; returns what it printed, and fails with its standard error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The Python of an environment with the distribution, installed by uv or by pip."""
    folder = tmp_path_factory.mktemp("environment")
    uv = next(
        (
            str(path)
            for path in (ROOT / ".venv/uv/bin/uv", shutil.which("uv"))
            if path and Path(path).is_file()
        ),
        None,
    )
    python = str(folder / "bin" / "python")
    if uv:
        run(uv, "venv", "--quiet", "--python", sys.executable, "--clear", folder)
        install = [uv, "pip", "install", "--quiet", "--python", python]
    elif util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", folder)
        install = [python, "-m", "pip", "install", "--quiet"]
    else:
        pytest.skip("needs uv, or Python's ensurepip (Debian: python3-venv)")
    try:
        run(*install, *DEPENDENCIES, "hatchling")
    except AssertionError as error:
        pytest.skip(f"needs a package index: {str(error).strip().splitlines()[-1]}")
    run(*install, "--no-deps", "--no-build-isolation", str(ROOT / "serving" / "client"))
    return python


def test_the_installed_client_asks_a_server_over_both_transports(environment):
    with SERVERS["rest"](Model()) as rest, SERVERS["grpc"](Model()) as grpc:
        assert run(environment, "-I", "-c", PROGRAM, rest, grpc) == "ok\n"


def test_the_project_and_the_distribution_can_be_imported_in_one_process(environment):
    """Both register the same messages."""
    folder = run(environment, "-c", "import tfx_ner_client as c; print(c.__path__[0])").strip()
    program = (
        "import sys, serving.client.grpc_transport; sys.path.append(sys.argv[1]);"
        " import tfx_ner_client.grpc_transport as one; print(one.__file__)"
    )
    done = run(sys.executable, "-c", program, str(Path(folder).parent))
    assert done.startswith(folder)
