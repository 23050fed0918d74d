"""What a reader of a corpus file gives: labelled tokens, labelled texts, and what it had to leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.ner.sentence import Sentence, Span

_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class BadLine:
    """Why a sentence cannot be used.

    Attributes:
      file: the file.
      line: the line, from 1.
      found: what was found there.
      expected: what was expected.
      remedy: settings that would read it, "" where there are none.
    """

    file: str
    line: int
    found: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: found {self.found}; expected {self.expected}"


class InvalidRecord(Exception):
    """Raised while a record is read: what was found, and what was expected.

    `line` is the line of the file, where it is another one than the record's first line; `remedy` names settings that
    would read it.
    """

    def __init__(self, found: str, expected: str, line: int = 0, remedy: str = "") -> None:
        super().__init__(found, expected)
        self.found, self.expected, self.line, self.remedy = found, expected, line, remedy


class CharSpan(NamedTuple):
    """A labelled span of characters: `text[start:end]`, as the file counts (see the setting `offsets`).

    `surface` is the text of the span where the file repeats it, "" otherwise; the offsets are checked against it.
    """

    start: int
    end: int
    label: str
    surface: str = ""


class TokenRecord(NamedTuple):
    """A sentence of tokens.

    Attributes:
      tokens: the words.
      tags: one tag a token, as the file writes them; () where the file has `spans` of tokens.
      lines: (line number, line) of each token, or one pair for the whole record; for error messages.
      document: identity of the document, "" where the file has no documents.
      id: identity of the sentence in the file, "" where the file has none.
      spans: entities as spans of tokens, for formats that have these in place of tags.
      metadata: further fields of the record, kept by `tfx-ner convert`.
    """

    tokens: Sequence[str]
    tags: Sequence[str]
    lines: Sequence[tuple[int, str]]
    document: str = ""
    id: str = ""
    spans: Sequence[Span] = ()
    metadata: Mapping[str, object] | None = None


class TextRecord(NamedTuple):
    """A text with labelled spans of characters.

    Attributes:
      text: the text.
      spans: the entities, in any order; they may overlap, the settings say what is done about that.
      lines: (line number, line) of the record; for error messages.
      document: identity of the document, "" where the file has no documents.
      id: identity of the text in the file, "" where the file has none.
      metadata: further fields of the record, kept by `tfx-ner convert`.
    """

    text: str
    spans: Sequence[CharSpan]
    lines: Sequence[tuple[int, str]]
    document: str = ""
    id: str = ""
    metadata: Mapping[str, object] | None = None


class Rejected(NamedTuple):
    """A sentence that cannot be used, and its lines as the file has them, without the last line end."""

    bad: BadLine
    raw: str


class Unused(NamedTuple):
    """A text that its annotators rejected, skipped or left undecided: it is left out, which is no error."""

    file: str
    line: int
    reason: str


class Notice(NamedTuple):
    """Something that the reader decided and the user should know, counted by `what`.

    `what` is a plural noun phrase that fits after a number: "spans rejected by an annotator, left out".
    """

    what: str
    file: str
    line: int
    count: int = 1


class Read(NamedTuple):
    """A sentence that can be used.

    Attributes:
      sentence: the sentence.
      tags: its tags as PREFIX-TYPE in the scheme of its file, None where the file has spans.
      record: what the reader gave, with the identity and the metadata of the file.
    """

    sentence: Sentence
    tags: Sequence[str] | None = None
    record: TokenRecord | TextRecord | None = None


def quote(value: object) -> str:
    """The value as an error message shows it: on one line, not too long.

    >>> quote("a\\tb")
    "'a\\\\tb'"
    """
    text = repr(value if not isinstance(value, str) else value[: _LONGEST_QUOTE + 1])
    return text if len(text) <= _LONGEST_QUOTE + 2 else text[:_LONGEST_QUOTE] + "…"
