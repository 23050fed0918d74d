"""Measures the speed of a tagger, in the same way for each tool. Plain Python."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, TypeVar

_T = TypeVar("_T")
TOKENS = 60_000  # to tag in one pass
_CALLS = 50  # with one short sentence, after as many to warm up
_SHORT = (5, 12)  # tokens of a short sentence


def enough(sentences: Sequence[_T], lengths: Sequence[int], tokens: int = TOKENS) -> list[_T]:
    """Repeats the sentences in order until they have at least `tokens` tokens.

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
    """Returns the indices of the first fifty sentences of 5 to 12 tokens, or of the shortest
    sentence.
    """
    found = [number for number, length in enumerate(lengths) if _SHORT[0] <= length <= _SHORT[1]]
    return found[:50] or [min(range(len(lengths)), key=lengths.__getitem__)]


def tokens_per_second(tag_all: Callable[[_T], object], batch: _T, tokens: int) -> float:
    """Measures one call of `tag_all` with a batch of `tokens` tokens."""
    return tokens / _seconds(tag_all, batch)


def milliseconds(tag_one: Callable[[_T], object], sentences: Sequence[_T]) -> float:
    """Measures the median time of a call with one sentence, taking the sentences in turn."""
    taken = [_seconds(tag_one, one) for one in islice(cycle(sentences), 2 * _CALLS)]
    return 1000 * statistics.median(taken[_CALLS:])


def answer(measures: Mapping[str, Callable[[], float]], **facts: Any) -> None:
    """Takes the measures that standard input names, until its end: `in_turn` asks several programs.

    The first line of standard output is JSON with `facts` and the names of the measures. Then each
    line of standard input names a measure, and a line of standard output has its value.
    """
    print(json.dumps({"measures": list(measures), **facts}), flush=True)
    for line in sys.stdin:
        print(measures[line.strip()](), flush=True)


def _seconds(call: Callable[[_T], object], argument: _T) -> float:
    started = time.perf_counter()
    call(argument)
    return time.perf_counter() - started
