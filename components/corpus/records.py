"""What a reader gives for each sentence of a file: it, its refusal, or that the file itself says not to use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.ner.sentence import Sentence

_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class BadLine:
    """Why a sentence cannot be used: the file, the line (from 1), what was found there and what was expected."""

    file: str
    line: int
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: found {self.found}; expected {self.expected}"


class Read(NamedTuple):
    """A sentence, and its tags as the file has them (None where it has character spans)."""

    sentence: Sentence
    tags: Sequence[str] | None = None


class Rejected(NamedTuple):
    """A sentence that cannot be used, and its lines as the file has them, without the last line end."""

    bad: BadLine
    raw: str


class Unused(NamedTuple):
    """A sentence that its annotators rejected or left undecided (Prodigy's `answer`)."""

    file: str
    line: int
    answer: str


def quote(value: object) -> str:
    """The value as an error message shows it: on one line, not too long.

    >>> quote("a\\tb")
    "'a\\\\tb'"
    """
    text = repr(value if not isinstance(value, str) else value[: _LONGEST_QUOTE + 1])
    return text if len(text) <= _LONGEST_QUOTE + 2 else text[:_LONGEST_QUOTE] + "…"
