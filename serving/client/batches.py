"""Texts gathered into requests of limited size."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from .responses import encode

# Responses are dense: each text's row is as wide as that of the text with the most entities. A cell
# takes about 24 bytes and a text has no more entities than characters, so this many cells stay
# below 4 MB, gRPC's default limit of a message.
_MAX_CELLS = 2**17


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
