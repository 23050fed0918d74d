"""Texts cut into requests that a server and a client can hold."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Optional

from serving.client.answers import readable

# Answers are dense: each text's row is as wide as the one with most entities. A cell takes about 24 bytes, and a text has
# no more entities than characters, so this many cells stay below 4 MB, the usual limit of a gRPC message.
_CELLS = 2**17


class Cutter:
    """Gathers texts into batches.

    Args:
      texts: the most texts in a batch.
      size: the most bytes of text in a batch; a text that is longer is a batch of its own.
    """

    def __init__(self, texts: int, size: int):
        self._texts, self._size = texts, size
        self._batch: list[str] = []
        self._bytes = self._longest = 0

    def take(self, text: str) -> Optional[list[str]]:
        """Takes a text, and gives the batch before it where it no longer fits into that."""
        if not isinstance(text, str):
            raise TypeError(f"found a text of type {type(text).__name__}; expected str")
        size = len(text) if text.isascii() else len(readable(text))
        longest = max(self._longest, len(text))
        full = None
        if self._batch and (
            len(self._batch) >= self._texts
            or self._bytes + size > self._size
            or (len(self._batch) + 1) * longest > _CELLS
        ):
            full, longest = self.rest(), len(text)
        self._batch.append(text)
        self._bytes, self._longest = self._bytes + size, longest
        return full

    def rest(self) -> list[str]:
        """What has been taken and not given yet."""
        batch, self._batch, self._bytes, self._longest = self._batch, [], 0, 0
        return batch


def cut(texts: Iterable[str], cutter: Cutter) -> Iterator[list[str]]:
    """Batches of texts, in order."""
    for text in texts:
        if full := cutter.take(text):
            yield full
    if rest := cutter.rest():
        yield rest


async def cut_async(
    texts: Iterable[str] | AsyncIterable[str], cutter: Cutter
) -> AsyncIterator[list[str]]:
    """Batches of texts, in order, from what may have to be waited for."""
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            if full := cutter.take(text):
                yield full
        if rest := cutter.rest():
            yield rest
    else:
        for batch in cut(texts, cutter):
            yield batch
