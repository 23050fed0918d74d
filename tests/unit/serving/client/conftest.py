"""A fake server for each transport, and a common way to call both clients."""

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
    """Calls a method of a client for a server at `url`, and collects what an iterator yields."""

    url: str
    is_async: bool

    def __call__(self, method, texts=None, *, limit=None, keywords=None, **options):
        """Calls `method(texts, **keywords)` of a client with these options.

        Args:
          method: the method's name.
          texts: its argument, if any.
          limit: the maximum number of results to take from an iterator.
          keywords: its keyword arguments.
          options: the keyword arguments of the client.
        """
        arguments = () if texts is None else (texts,)
        call = self._call_async if self.is_async else self._call
        result = call(method, arguments, keywords or {}, limit, options)
        return asyncio.run(result) if self.is_async else result

    def _call(self, method, arguments, keywords, limit, options):
        with Client(self.url, **options) as client:
            result = getattr(client, method)(*arguments, **keywords)
            return list(itertools.islice(result, limit)) if inspect.isgenerator(result) else result

    async def _call_async(self, method, arguments, keywords, limit, options):
        async with AsyncClient(self.url, **options) as client:
            result = getattr(client, method)(*arguments, **keywords)
            if not hasattr(result, "__aiter__"):
                return await result
            collected = []
            async for item in result:
                collected.append(item)
                if len(collected) == limit:
                    await result.aclose()
                    break
            return collected


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
    """A function that sends a request to the server at an address."""
    return lambda url: Ask(url, is_async)


@pytest.fixture
def ask(model, transport, ask_at):
    """A function that sends a request to a server with the fake model."""
    with SERVERS[transport](model) as url:
        yield ask_at(url)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for localhost, and its key."""
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
