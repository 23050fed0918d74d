"""A fake server over each transport, and both clients behind one face."""

import asyncio
import inspect
import itertools
import subprocess
from dataclasses import dataclass

import pytest

from serving.client import AsyncClient, Client
from tests.unit.fake_servers import SERVERS, Model


@dataclass(frozen=True)
class Ask:
    """Calls a client's method; what it gives one by one comes as a list."""

    url: str
    is_async: bool

    def __call__(self, method, *arguments, limit=None, **options):
        return (
            asyncio.run(self._later(method, arguments, limit, options))
            if self.is_async
            else self._now(method, arguments, limit, options)
        )

    def _now(self, method, arguments, limit, options):
        with Client(self.url, **options) as client:
            result = getattr(client, method)(*arguments)
            return list(itertools.islice(result, limit)) if inspect.isgenerator(result) else result

    async def _later(self, method, arguments, limit, options):
        async with AsyncClient(self.url, **options) as client:
            result = getattr(client, method)(*arguments)
            if not hasattr(result, "__aiter__"):
                return await result
            found = []
            async for one in result:
                found.append(one)
                if len(found) == limit:
                    await result.aclose()
                    break
            return found


@pytest.fixture
def model():
    return Model()


@pytest.fixture(params=SERVERS)
def transport(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request):
    return request.param


@pytest.fixture
def ask_at(is_async):
    """Asks the server at an address."""
    return lambda url: Ask(url, is_async)


@pytest.fixture
def ask(model, transport, ask_at):
    """Asks a server with the fake model."""
    with SERVERS[transport](model) as url:
        yield ask_at(url)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    try:
        subprocess.run(
            [*command.split(), "-keyout", key, "-out", chain], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl here to make a certificate with")
    return chain, key
