"""How fast a tagger is, measured the same way for each of them, when it is its turn. Plain Python."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, TypeVar

_T = TypeVar("_T")
TOKENS = 60_000  # to tag in one pass
_CALLS = 50  # with one short sentence, and as many before these to warm up
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


def tokens_per_second(tag_all: Callable[[_T], object], batch: _T, tokens: int) -> float:
    """The pace of one pass over a batch, which `tag_all` tags to the end and which has that many tokens."""
    return tokens / _seconds(tag_all, batch)


def milliseconds(tag_one: Callable[[_T], object], sentences: Sequence[_T]) -> float:
    """The median time of a call with one sentence, going round these."""
    taken = [_seconds(tag_one, one) for one in islice(cycle(sentences), 2 * _CALLS)]
    return 1000 * statistics.median(taken[_CALLS:])


def answer(measures: Mapping[str, Callable[[], float]], **facts: Any) -> None:
    """Measures what it is asked for, until there is no more to ask: how `in_turn` asks several programs.

    The first line of standard output is JSON, `facts` and the names of the measures. Then each line of standard input names
    a measure, and each of standard output is what it came to.
    """
    print(json.dumps({"measures": list(measures), **facts}), flush=True)
    for line in sys.stdin:
        print(measures[line.strip()](), flush=True)


def _seconds(call: Callable[[_T], object], argument: _T) -> float:
    started = time.perf_counter()
    call(argument)
    return time.perf_counter() - started
