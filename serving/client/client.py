"""The blocking client and the client for asyncio, which send texts in batches."""

import asyncio
import importlib
import warnings
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, TypeVar

from . import retries as retrying
from .errors import BadAnswer, ServerError, SettingsError
from .protocol import (
    OUTPUTS,
    SIGNATURE,
    Connection,
    Entities,
    Exchange,
    Metadata,
    ModelSpec,
    VersionStatus,
    encode,
    parse_address,
)

_T = TypeVar("_T")
Result = tuple[str, Entities | ServerError]

# Responses are dense: each text's row is as wide as that of the text with the most entities. A cell
# takes about 24 bytes and a text has no more entities than characters, so this many cells stay
# below 4 MB, gRPC's default limit of a message.
_MAX_CELLS = 2**17


class _Settings:
    """What both clients share: their arguments, and the old names of methods."""

    predict_iter: Callable[..., Any]
    predict_one: Callable[..., Any]

    def __init__(
        self,
        url: str,
        model: str = "ner",
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
        retries: int = 5,
        batch_texts: int = 64,
        batch_bytes: int = 512 * 1024,
        concurrency: int = 4,
        max_message_bytes: int = 64 * 2**20,
        ca_file: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        """Makes a client. Nothing is sent yet.

        Args:
          url: `http://host:8501` or `https://…` for REST, `grpc://host:8500` or `grpcs://…` (TLS)
            for gRPC.
          model: the model's name on the server: `ner`, or `ner-canary` for the canary.
          version: a version by its number, instead of the newest.
          label: a version by its label, instead of its number.
          timeout: seconds for one request, its retries included.
          retries: how often an unavailable server is asked again, after pauses that grow. A server
            that refuses because it has too many requests is asked again until the timeout, unless
            this is 0.
          batch_texts: the most texts in one request. TensorFlow Serving refuses more than its
            `max_batch_size`, which `tfx-ner serve` sets to 64.
          batch_bytes: the most bytes of text in one request.
          concurrency: requests in flight while many texts are sent.
          max_message_bytes: a larger response is refused.
          ca_file: PEM file of the certificates to trust, instead of the system's.
          headers: sent with each request, as HTTP headers or gRPC metadata.

        Raises:
          SettingsError: an argument is wrong.
        """
        for name, value, minimum in (
            ("timeout", timeout, 0.001),
            ("retries", retries, 0),
            ("batch_texts", batch_texts, 1),
            ("batch_bytes", batch_bytes, 1),
            ("concurrency", concurrency, 1),
            ("max_message_bytes", max_message_bytes, 1),
        ):
            if not value >= minimum:
                raise SettingsError(f"{name}: found {value}; expected {minimum} or more")
        self._connection = Connection(
            parse_address(url), ca_file, dict(headers or {}), max_message_bytes
        )
        self._model = ModelSpec(model, version, label)
        self._policy = retrying.RetryPolicy(timeout, retries)
        self._batcher = partial(Batcher, batch_texts, batch_bytes)
        self._concurrency = concurrency
        # Imported here, so that a program loads only one of httpx and grpcio.
        transport = "grpc" if self._connection.address.is_grpc else "rest"
        self._transport: Any = importlib.import_module(f".{transport}_transport", __package__)
        self._open()

    def _open(self) -> None:
        """Makes what is made at once, rather than at the first request."""

    @property
    def server(self) -> str:
        """The server's address."""
        return str(self._connection.address)

    def recognised(self, texts: Any) -> Any:
        """The old name of `predict_iter`."""
        _warn_renamed("recognised", "predict_iter")
        return self.predict_iter(texts)

    def attempted(self, texts: Any) -> Any:
        """The old name of `predict_iter(return_errors=True)`."""
        _warn_renamed("attempted", "predict_iter(…, return_errors=True)")
        return self.predict_iter(texts, return_errors=True)

    def recognise_one(self, text: str) -> Any:
        """The old name of `predict_one`."""
        _warn_renamed("recognise_one", "predict_one")
        return self.predict_one(text)

    def _batch_plan(
        self, texts: list[str], timeouts: retrying.TimeoutCounter
    ) -> retrying.Plan[retrying.Results]:
        exchange_for = partial(self._transport.predict, self._model)
        return retrying.request_batch(texts, exchange_for, self._policy, timeouts)

    def _exchange_for_one(self, text: str) -> Exchange[list[Entities]]:
        if not isinstance(text, str):
            raise TypeError(f"found {type(text).__name__}; expected one text, a str")
        return self._transport.predict(self._model, [text])

    def _check(self, metadata: Metadata) -> Metadata:
        if not metadata.finds_entities:
            signatures = ", ".join(sorted(metadata.signatures)) or "none"
            raise BadAnswer(
                self.server,
                f"its model {metadata.model}, version {metadata.version}, was not published by"
                f" tfx-ner: found the signatures {signatures}; expected {SIGNATURE} from text to"
                f" {', '.join(OUTPUTS)}",
            )
        return metadata


class Client(_Settings):
    """A client that blocks. Threads may share it; `with` or `close()` closes its connections.

        with Client("grpc://localhost:8500") as client:
            for text, entities in client.predict_iter(texts):
                ...

    Methods raise ServerError, or one of its subclasses.
    """

    def _open(self) -> None:
        self._sender = self._transport.BlockingSender(self._connection)

    def predict(self, texts: Iterable[str], *, minimum_score: float = 0.0) -> list[Entities]:
        """The entities of each text, in order; those with a lower score are left out."""
        return [entities for _, entities in self.predict_iter(texts, minimum_score=minimum_score)]

    def predict_one(self, text: str, *, minimum_score: float = 0.0) -> Entities:
        """The entities of one text; those with a lower score are left out."""
        return _filter(self._request(self._exchange_for_one(text))[0], minimum_score)

    def predict_iter(
        self, texts: Iterable[str], *, minimum_score: float = 0.0, return_errors: bool = False
    ) -> Iterator[tuple[str, Any]]:
        """Each text with its entities, in order, while texts are read and sent in batches.

        Args:
          texts: the texts. Lone surrogates, which UTF-8 cannot encode, are sent as question marks.
          minimum_score: entities with a lower score are left out.
          return_errors: return the error of a text that the server refuses in place of its
            entities, and go on; otherwise raise it.

        Returns:
          An iterator of pairs: a text, and its entities or its error.

        Raises:
          ServerError: the server refuses a text, or the error does not depend on a text.
        """
        return self._predict_iter(_check_texts(texts), minimum_score, return_errors)

    def status(self) -> tuple[VersionStatus, ...]:
        """The status of the model's versions, also of those that are loading or have failed."""
        return self._request(self._transport.status(self._model))

    def metadata(self) -> Metadata:
        """The version that answers, and its signatures. Only a model that can serve answers."""
        return self._request(self._transport.metadata(self._model))

    def check(self) -> Metadata:
        """The metadata of the model; raises BadAnswer where it is not one of tfx-ner."""
        return self._check(self.metadata())

    def close(self) -> None:
        """Closes the connections; requests in flight fail."""
        self._sender.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, exchange: Exchange[_T]) -> _T:
        return retrying.run(retrying.request(exchange, self._policy), self._sender.send)

    def _predict_iter(
        self, texts: Iterable[str], minimum_score: float, return_errors: bool
    ) -> Iterator[Result]:
        timeouts = retrying.TimeoutCounter()
        pool = ThreadPoolExecutor(self._concurrency)
        pending: deque[tuple[list[str], Future]] = deque()
        index = 0

        def next_results() -> Iterator[Result]:
            nonlocal index
            batch, future = pending.popleft()
            for text, result in zip(batch, future.result()):
                index += 1
                yield text, _finish(index, result, minimum_score, return_errors)

        try:
            for batch in batches(texts, self._batcher()):
                plan = self._batch_plan(batch, timeouts)
                pending.append((batch, pool.submit(retrying.run, plan, self._sender.send)))
                # More than are in flight, so that a thread that is done finds its next request.
                if len(pending) >= 2 * self._concurrency:
                    yield from next_results()
            while pending:
                yield from next_results()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def recognise(self, texts: Iterable[str]) -> Iterator[Entities]:
        """The old name of `predict`."""
        _warn_renamed("recognise", "predict")
        return (entities for _, entities in self.predict_iter(texts))


class AsyncClient(_Settings):
    """A client for one event loop; `async with` or `close()` closes its connections.

        async with AsyncClient("http://localhost:8501") as client:
            async for text, entities in client.predict_iter(texts):
                ...

    Methods raise ServerError, or one of its subclasses.
    """

    @cached_property
    def _sender(self) -> Any:
        # Made at the first request, within the event loop that it belongs to.
        return self._transport.AsyncioSender(self._connection)

    async def predict(
        self, texts: Iterable[str] | AsyncIterable[str], *, minimum_score: float = 0.0
    ) -> list[Entities]:
        """The entities of each text, in order; those with a lower score are left out."""
        results = self.predict_iter(texts, minimum_score=minimum_score)
        return [entities async for _, entities in results]

    async def predict_one(self, text: str, *, minimum_score: float = 0.0) -> Entities:
        """The entities of one text; those with a lower score are left out."""
        return _filter((await self._request(self._exchange_for_one(text)))[0], minimum_score)

    def predict_iter(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        minimum_score: float = 0.0,
        return_errors: bool = False,
    ) -> AsyncIterator[tuple[str, Any]]:
        """Each text with its entities, as `Client.predict_iter`, which says what it takes."""
        return self._predict_iter(_check_texts(texts), minimum_score, return_errors)

    async def status(self) -> tuple[VersionStatus, ...]:
        """The status of the model's versions, also of those that are loading or have failed."""
        return await self._request(self._transport.status(self._model))

    async def metadata(self) -> Metadata:
        """The version that answers, and its signatures. Only a model that can serve answers."""
        return await self._request(self._transport.metadata(self._model))

    async def check(self) -> Metadata:
        """The metadata of the model; raises BadAnswer where it is not one of tfx-ner."""
        return self._check(await self.metadata())

    async def close(self) -> None:
        """Closes the connections; requests in flight fail."""
        await self._sender.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _request(self, exchange: Exchange[_T]) -> _T:
        plan = retrying.request(exchange, self._policy)
        return await retrying.run_async(plan, self._sender.send)

    async def _predict_iter(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        minimum_score: float,
        return_errors: bool,
    ) -> AsyncIterator[Result]:
        timeouts, slots = retrying.TimeoutCounter(), asyncio.Semaphore(self._concurrency)
        pending: deque[tuple[list[str], asyncio.Task]] = deque()
        index = 0

        async def send(batch: list[str]) -> retrying.Results:
            async with slots:
                return await retrying.run_async(
                    self._batch_plan(batch, timeouts), self._sender.send
                )

        async def next_results() -> AsyncIterator[Result]:
            nonlocal index
            batch, task = pending[0]
            results = await task
            pending.popleft()
            for text, result in zip(batch, results):
                index += 1
                yield text, _finish(index, result, minimum_score, return_errors)

        try:
            async for batch in async_batches(texts, self._batcher()):
                pending.append((batch, asyncio.ensure_future(send(batch))))
                # More than are in flight, so that a slot that is free finds its next request.
                if len(pending) >= 2 * self._concurrency:
                    async for result in next_results():
                        yield result
            while pending:
                async for result in next_results():
                    yield result
        finally:
            for _, task in pending:
                task.cancel()
            await asyncio.gather(*(task for _, task in pending), return_exceptions=True)

    async def recognise(self, texts: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[Entities]:
        """The old name of `predict`."""
        _warn_renamed("recognise", "predict")
        async for _, entities in self.predict_iter(texts):
            yield entities


class Batcher:
    """Gathers texts into batches.

    Args:
      max_texts: the most texts in a batch.
      max_bytes: the most bytes of text in a batch. A longer text is a batch of its own.
    """

    def __init__(self, max_texts: int, max_bytes: int):
        self._max_texts, self._max_bytes = max_texts, max_bytes
        self._batch: list[str] = []
        self._bytes = self._longest = 0

    def add(self, text: str) -> list[str] | None:
        """Adds a text. Returns the batch before it if the text does not fit into that batch."""
        if not isinstance(text, str):
            raise TypeError(f"found a text of type {type(text).__name__}; expected str")
        size = len(text) if text.isascii() else len(encode(text))
        longest = max(self._longest, len(text))
        full = None
        if self._batch and (
            len(self._batch) >= self._max_texts
            or self._bytes + size > self._max_bytes
            or (len(self._batch) + 1) * longest > _MAX_CELLS
        ):
            full, longest = self.flush(), len(text)
        self._batch.append(text)
        self._bytes, self._longest = self._bytes + size, longest
        return full

    def flush(self) -> list[str]:
        """Returns the texts of the current batch and begins an empty one."""
        batch, self._batch, self._bytes, self._longest = self._batch, [], 0, 0
        return batch


def batches(texts: Iterable[str], batcher: Batcher) -> Iterator[list[str]]:
    """The texts in batches, in order."""
    for text in texts:
        if full := batcher.add(text):
            yield full
    if rest := batcher.flush():
        yield rest


async def async_batches(
    texts: Iterable[str] | AsyncIterable[str], batcher: Batcher
) -> AsyncIterator[list[str]]:
    """The texts of an iterable or an asynchronous iterable in batches, in order."""
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            if full := batcher.add(text):
                yield full
        if rest := batcher.flush():
            yield rest
    else:
        for batch in batches(texts, batcher):
            yield batch


def _check_texts(texts: _T) -> _T:
    """Refuses a str, whose characters would be taken for texts."""
    if isinstance(texts, str):
        raise TypeError("found one text; expected several: predict_one takes one")
    return texts


def _finish(
    index: int, result: Entities | ServerError, minimum_score: float, return_errors: bool
) -> Entities | ServerError:
    """The result for the text number `index` as the caller wants it; raises an unwanted error."""
    if not isinstance(result, ServerError):
        return _filter(result, minimum_score)
    if return_errors:
        return result
    raise type(result)(result.server, f"text {index}: {result.message}") from result


def _filter(entities: Entities, minimum_score: float) -> Entities:
    if minimum_score <= 0:
        return entities
    return tuple(entity for entity in entities if entity.score >= minimum_score)


def _warn_renamed(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is now called {new}; the old name goes in the next release",
        DeprecationWarning,
        stacklevel=3,
    )
