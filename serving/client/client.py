"""A client that blocks."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.client import steps
from serving.client.answers import Metadata, VersionStatus
from serving.client.batches import cut
from serving.client.exchange import Exchange
from serving.client.settings import Attempt, Entities, Settings, demanded, several

_T = TypeVar("_T")


class Client(Settings):
    """Asks a server for the entities in texts. Threads may share one; `with` or `close()` ends its connections.

        with Client("grpc://localhost:8500") as client:
            for entities in client.recognise(texts):
                ...

    Methods raise ServerError: see `serving.client.errors`.
    """

    def _open(self) -> None:
        self._sender = self._speech.Sender(self._connection)

    def recognise(self, texts: Iterable[str]) -> Iterator[Entities]:
        """The entities of each text, in order; texts are taken in batches, several of which are in flight."""
        return (entities for _, entities in self.recognised(texts))

    def recognised(self, texts: Iterable[str]) -> Iterator[tuple[str, Entities]]:
        """Each text with its entities. Lone surrogates, which UTF-8 cannot hold, are read as question marks."""
        return (
            demanded(number, attempt)
            for number, attempt in enumerate(self.attempted(texts), start=1)
        )

    def attempted(self, texts: Iterable[str]) -> Iterator[Attempt]:
        """Each text with its entities, or with the error that the server answers for it; other texts do not suffer.

        Raises what is not one text's fault: see `serving.client.steps.answers`.
        """
        return self._attempted(several(texts))

    def recognise_one(self, text: str) -> Entities:
        """The entities of one text."""
        return self._ask(self._one(text))[0]

    def status(self) -> tuple[VersionStatus, ...]:
        """How the versions of the model are, also those that are loading or have failed."""
        return self._ask(self._speech.status(self._servable))

    def metadata(self) -> Metadata:
        """Which version answers, and its signatures. Answered only by a model that can serve."""
        return self._ask(self._speech.metadata(self._servable))

    def check(self) -> Metadata:
        """The metadata of a model that finds entities; raises BadAnswer where the server's does something else."""
        return self._checked(self.metadata())

    def close(self) -> None:
        """Ends the connections; requests in flight fail."""
        self._sender.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _ask(self, exchange: Exchange[_T]) -> _T:
        return steps.drive(steps.answer(exchange, self._patience), self._sender.send)

    def _attempted(self, texts: Iterable[str]) -> Iterator[Attempt]:
        silence = steps.Silence()
        pool = ThreadPoolExecutor(self._concurrency)
        waiting: deque = deque()
        try:
            for batch in cut(texts, self._cutter()):
                waiting.append(
                    (batch, pool.submit(steps.drive, self._plan(batch, silence), self._sender.send))
                )
                # More than are in flight: the next is at hand when one comes back out of turn.
                if len(waiting) >= 2 * self._concurrency:
                    batch, found = waiting.popleft()
                    yield from zip(batch, found.result())
            for batch, found in waiting:
                yield from zip(batch, found.result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
