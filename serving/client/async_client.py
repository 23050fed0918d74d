"""A client for asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from functools import cached_property
from typing import TypeVar

from serving.client import steps
from serving.client.answers import Metadata, VersionStatus
from serving.client.batches import cut_async
from serving.client.exchange import Exchange
from serving.client.settings import Attempt, Entities, Settings, demanded, several

_T = TypeVar("_T")


class AsyncClient(Settings):
    """Asks a server for the entities in texts, within one event loop; `async with` or `close()` ends its connections.

        async with AsyncClient("http://localhost:8501") as client:
            async for entities in client.recognise(texts):
                ...

    Methods raise ServerError: see `serving.client.errors`.
    """

    @cached_property
    def _sender(self):
        return self._speech.AsyncSender(self._connection)  # made within the loop that it belongs to

    def recognise(self, texts: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[Entities]:
        """The entities of each text, in order; texts are taken in batches, several of which are in flight."""
        return (entities async for _, entities in self.recognised(texts))

    async def recognised(
        self, texts: Iterable[str] | AsyncIterable[str]
    ) -> AsyncIterator[tuple[str, Entities]]:
        """Each text with its entities. Lone surrogates, which UTF-8 cannot hold, are read as question marks."""
        number = 0
        async for attempt in self.attempted(texts):
            number += 1
            yield demanded(number, attempt)

    def attempted(self, texts: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[Attempt]:
        """Each text with its entities, or with the error that the server answers for it; other texts do not suffer.

        Raises what is not one text's fault: see `serving.client.steps.answers`.
        """
        return self._attempted(several(texts))

    async def recognise_one(self, text: str) -> Entities:
        """The entities of one text."""
        return (await self._ask(self._one(text)))[0]

    async def status(self) -> tuple[VersionStatus, ...]:
        """How the versions of the model are, also those that are loading or have failed."""
        return await self._ask(self._speech.status(self._servable))

    async def metadata(self) -> Metadata:
        """Which version answers, and its signatures. Answered only by a model that can serve."""
        return await self._ask(self._speech.metadata(self._servable))

    async def check(self) -> Metadata:
        """The metadata of a model that finds entities; raises BadAnswer where the server's does something else."""
        return self._checked(await self.metadata())

    async def close(self) -> None:
        """Ends the connections; requests in flight fail."""
        await self._sender.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_) -> None:
        await self.close()

    async def _ask(self, exchange: Exchange[_T]) -> _T:
        return await steps.drive_async(steps.answer(exchange, self._patience), self._sender.send)

    async def _attempted(self, texts: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[Attempt]:
        silence, turns = steps.Silence(), asyncio.Semaphore(self._concurrency)

        async def answers(batch: list[str]) -> steps.Answers:
            async with turns:
                return await steps.drive_async(self._plan(batch, silence), self._sender.send)

        waiting: deque[tuple[list[str], asyncio.Task]] = deque()

        async def first() -> Iterator[Attempt]:
            batch, task = waiting[0]
            found = await task
            waiting.popleft()
            return zip(batch, found)

        try:
            async for batch in cut_async(texts, self._cutter()):
                waiting.append((batch, asyncio.ensure_future(answers(batch))))
                # More than are in flight: the next is at hand when one comes back out of turn.
                if len(waiting) >= 2 * self._concurrency:
                    for attempt in await first():
                        yield attempt
            while waiting:
                for attempt in await first():
                    yield attempt
        finally:
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
