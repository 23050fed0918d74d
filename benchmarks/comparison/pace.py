"""Measures the speed of a tagger, in the same way for each tool. Plain Python."""

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")
Tokens = Sequence[str]
TOKENS = 60_000  # to tag in one pass
_CALLS = 50  # with one short sentence, after as many to warm up
_SHORT = range(5, 13)  # tokens of a short sentence


def enough(sentences: Sequence[Tokens], tokens: int = TOKENS) -> list[Tokens]:
    """Repeats the sentences in order until they have at least `tokens` tokens.

    >>> enough([["Ada", "spoke"], ["Yes"]], 4)
    [['Ada', 'spoke'], ['Yes'], ['Ada', 'spoke']]
    """
    repeated: list[Tokens] = []
    for sentence in cycle(sentences):
        if tokens <= 0:
            return repeated
        repeated.append(sentence)
        tokens -= len(sentence)
    raise ValueError("there is no sentence")


def short(sentences: Sequence[Tokens]) -> list[Tokens]:
    """Returns the first fifty sentences of 5 to 12 tokens, or the shortest sentence."""
    return [one for one in sentences if len(one) in _SHORT][:50] or [min(sentences, key=len)]


def tokens_per_second(tag_all: Callable[[_T], object], batch: _T, tokens: int) -> float:
    """Measures one call of `tag_all` with a batch of `tokens` tokens."""
    return tokens / _seconds(tag_all, batch)


def milliseconds(tag_one: Callable[[_T], object], sentences: Sequence[_T]) -> float:
    """Measures the median time of a call with one sentence, taking the sentences in turn."""
    seconds = [_seconds(tag_one, one) for one in islice(cycle(sentences), 2 * _CALLS)]
    return 1000 * statistics.median(seconds[_CALLS:])


def size_mb(path: Path) -> float:
    """The size of a file or a folder on disk, in MB."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()) / 1e6


def print_figures(measures: Mapping[str, Callable[[], float]], **facts: Any) -> None:
    """Prints facts and the value of each measure as JSON. The first call of each only warms up."""
    for measure in measures.values():
        measure()
    print(json.dumps({**facts, **{name: measure() for name, measure in measures.items()}}))


def _seconds(call: Callable[[_T], object], argument: _T) -> float:
    began = time.perf_counter()
    call(argument)
    return time.perf_counter() - began
