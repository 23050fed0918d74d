"""Chance that falls the same way on every machine and every Python."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def digest(*key: object) -> int:
    """A number that depends on nothing but the key (Python's own hash() is salted)."""
    text = "\x1f".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


class Dice:
    """Random choices from one key.

    Only random() is taken from `random.Random`: its sequence for an integer seed is documented to stay, while the
    sequences of choice(), shuffle() and sample() have changed between versions of Python.
    """

    def __init__(self, *key: object) -> None:
        self._random = random.Random(digest(*key)).random

    def chance(self, share: float) -> bool:
        return self._random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def choice(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Fisher and Yates."""
        out = list(items)
        for last in range(len(out) - 1, 0, -1):
            other = self.between(0, last)
            out[last], out[other] = out[other], out[last]
        return out
