"""How fast a tagger is, measured the same way for each of them. Plain Python."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any, TypeVar

_T = TypeVar("_T")
TOKENS = 60_000  # to tag in one pass
_PASSES = 3  # and one before these to warm up
_CALLS = 200  # with one short sentence, and some before these
_SHORT = (5, 12)  # tokens of a short sentence


def enough(sentences: Sequence[_T], lengths: Sequence[int], tokens: int = TOKENS) -> list[_T]:
    """As many sentences as have these tokens together, from the first one again where there are too few.

    >>> enough(["Ada spoke", "Yes"], [2, 1], 6)
    ['Ada spoke', 'Yes', 'Ada spoke', 'Yes']
    """
    taken: list[_T] = []
    for sentence, length in cycle(zip(sentences, lengths)):
        if tokens <= 0:
            return taken
        taken.append(sentence)
        tokens -= length
    raise ValueError("there is no sentence")


def short(lengths: Sequence[int]) -> list[int]:
    """Where the first fifty sentences of 5 to 12 tokens are; the shortest one where there are none."""
    found = [number for number, length in enumerate(lengths) if _SHORT[0] <= length <= _SHORT[1]]
    return found[:50] or [min(range(len(lengths)), key=lengths.__getitem__)]


def tokens_per_second(tag_all: Callable[[_T], object], batches: Callable[[], _T], tokens: int) -> float:
    """The median over several passes.

    Args:
      tag_all: tags what it is given, to the end.
      batches: makes the sentences of a pass anew, outside of the time that counts.
      tokens: how many there are in a pass.
    """
    tag_all(batches())
    return tokens / statistics.median(_seconds(tag_all, batches()) for _ in range(_PASSES))


def milliseconds(tag_one: Callable[[_T], object], sentences: Sequence[_T]) -> float:
    """The median time of a call with one sentence, going round these."""
    warm = len(sentences)
    taken = [_seconds(tag_one, one) for one in islice(cycle(sentences), warm + _CALLS)]
    return 1000 * statistics.median(taken[warm:])


def write(path: str, **figures: Any) -> None:
    """Leaves the figures as JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file)


def _seconds(call: Callable[[_T], object], argument: _T) -> float:
    started = time.perf_counter()
    call(argument)
    return time.perf_counter() - started
