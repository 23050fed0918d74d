"""The records that a reader of a corpus file gives: labelled tokens, labelled texts, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.ner.sentence import Sentence, Span

_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class BadLine:
    """The reason why a sentence cannot be used."""

    file: str
    line: int
    """The line, from 1."""
    found: str
    expected: str
    remedy: str = ""
    """Settings with which the sentence can be read, or ""."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: found {self.found}; expected {self.expected}"


class InvalidRecord(Exception):
    """Raised for an error in a record.

    Attributes:
      found: what is wrong.
      expected: what would be right.
      line: the line of the file, 0 for the record's first line.
      remedy: settings that would read the record.
    """

    def __init__(self, found: str, expected: str, line: int = 0, remedy: str = "") -> None:
        super().__init__(found, expected)
        self.found, self.expected, self.line, self.remedy = found, expected, line, remedy


class CharSpan(NamedTuple):
    """A labelled span of characters."""

    start: int
    end: int
    """The end, in the unit of the file (see the setting `offsets`)."""
    label: str
    surface: str = ""
    """The text of the span where the file repeats it; the offsets are checked against it."""


Row = tuple[int, str]
"""The number of a line, from 1, and the line."""


class TokenRecord(NamedTuple):
    """A sentence of tokens."""

    tokens: Sequence[str]
    tags: Sequence[str]
    """One tag a token, as the file writes them; () where the file has `spans` of tokens."""
    lines: Sequence[Row]
    """The line of each token, or one line for the whole record; for error messages."""
    document: str = ""
    """Identity of the document, "" where the file has no documents."""
    id: str = ""
    """Identity of the sentence in the file, "" where the file has no ids."""
    spans: Sequence[Span] = ()
    """Entities as spans of tokens, in any order, for formats without tags; they may overlap."""
    metadata: Mapping[str, object] | None = None
    """Further fields of the record, which `tfx-ner convert` keeps."""


class TextRecord(NamedTuple):
    """A text with labelled spans of characters."""

    text: str
    spans: Sequence[CharSpan]
    """Entities, in any order; they may overlap."""
    lines: Sequence[Row]
    document: str = ""
    """Identity of the document, "" where the file has no documents."""
    id: str = ""
    """Identity of the text in the file, "" where the file has no ids."""
    metadata: Mapping[str, object] | None = None
    """Further fields of the record, which `tfx-ner convert` keeps."""


class Rejected(NamedTuple):
    """A sentence that cannot be used."""

    bad: BadLine
    raw: str
    """Its lines as the file has them, without the last line end."""


class Unused(NamedTuple):
    """A text that its annotators rejected, skipped or left undecided: it is left out without an error."""

    file: str
    line: int
    reason: str


class Notice(NamedTuple):
    """A decision of the reader that the user should know."""

    what: str
    """A plural noun phrase that fits after a number: "spans rejected by an annotator, left out"."""
    file: str
    line: int
    count: int = 1


class Read(NamedTuple):
    """A sentence that can be used."""

    sentence: Sentence
    tags: Sequence[str] | None = None
    """Its tags as PREFIX-TYPE in the scheme of its file, None where the file has spans."""
    record: TokenRecord | TextRecord | None = None
    """The record of the file, with its identity and metadata."""

    @property
    def id(self) -> str:
        """The identity of the sentence in its file, "" where the file has no ids."""
        return self.record.id if self.record else ""

    @property
    def metadata(self) -> Mapping[str, object]:
        """Further fields of the record."""
        return (self.record.metadata if self.record else None) or {}


def quote(value: object) -> str:
    """The value as an error message shows it: on one line, not too long.

    >>> quote("a\\tb")
    "'a\\\\tb'"
    """
    text = repr(value if not isinstance(value, str) else value[: _LONGEST_QUOTE + 1])
    return text if len(text) <= _LONGEST_QUOTE + 2 else text[:_LONGEST_QUOTE] + "…"
