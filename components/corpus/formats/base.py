"""The interface of a corpus format, and the values it gets: the beginning of a file, and the file itself."""

from __future__ import annotations

import abc
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import IO, Any, ClassVar, Literal

from components.corpus.formats.json_items import first_item
from components.corpus.options import ReadOptions
from components.corpus.records import (
    BadLine,
    InvalidRecord,
    Notice,
    Read,
    Rejected,
    Row,
    TextRecord,
    TokenRecord,
    Unused,
)
from components.corpus.text_files import codec_name, ending_of, lines, read_head
from components.ner.sentence import Sentence

Record = TokenRecord | TextRecord | Rejected | Unused | Notice


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, from which its format is detected.

    Attributes:
      path: the file.
      head: its first bytes, unpacked where the file is compressed.
      text: these bytes as text, with U+FFFD for bytes that are not in the encoding; "" for a binary file.
    """

    path: str
    head: bytes
    text: str

    @classmethod
    def of_file(cls, path: str, encoding: str = "utf-8") -> Sample:
        """Reads the beginning of a file. Raises UserError where it cannot be read."""
        codec = codec_name(encoding)
        head = read_head(path)
        binary = b"\0" in head[:8192] and not codec.startswith(("utf-16", "utf-32"))
        text = "" if binary else head.decode("utf-8-sig" if codec == "utf-8" else codec, "replace")
        return cls(path, head, text)

    @property
    def ending(self) -> str:
        """The file's ending in lower case, without that of its compression: "conll" of "a.CONLL.gz"."""
        return ending_of(self.path)

    @cached_property
    def lines(self) -> list[str]:
        """The first lines that are not blank, without their line ends; the last may be cut off."""
        return [line.rstrip("\r") for line in self.text.split("\n") if line.strip()]

    @cached_property
    def json_item(self) -> Any:
        """The first record of a JSON file: the first line's object, or the first element of an array.

        None where the file is not JSON, and `...` where it is but the first record does not fit into the sample.
        """
        return first_item(self.text)


@dataclass
class Survey:
    """The result of a first pass over a file.

    Attributes:
      tag_pairs: how often each tag follows each other one, as the file writes them, with "" around each sentence.
      layout: what `read` has to know of the whole file, as JSON values (columns, say).
      documents: how many documents begin in the file.
      document_marks: how many lines mark the beginning of a document.
      notices: messages for the user about what was detected.
      longest: the number of tokens of the longest sentence, counted by the survey of `Format`.
    """

    tag_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    layout: dict[str, Any] = field(default_factory=dict)
    documents: int = 0
    document_marks: int = 0
    notices: list[str] = field(default_factory=list)
    longest: int = 0


@dataclass(frozen=True)
class Source:
    """A file to read, with the settings and the result of its survey.

    Attributes:
      path: the file.
      options: the user's settings.
      layout: `Survey.layout` of the file; {} during the survey.
    """

    path: str
    options: ReadOptions
    layout: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """The lines of the file, each with its line end; unpacked, decoded. Raises UserError."""
        return lines(self.path, self.options.encoding)


class Format(abc.ABC):
    """A format of corpus files. Instances have no state.

    Attributes:
      name: its name in the setting `format` and in `tfx-ner convert --to`.
      title: its name in messages, as "CoNLL columns".
      endings: endings of files that are usually in the format; a hint where the content fits several formats.
      holds: whether the records are tokens with tags or texts with spans of characters.
      keeps: what `write` keeps of a sentence in addition to tokens and entities: "documents", "ids", "metadata",
        "texts" (the white space between tokens).
      binary: whether `write` gets a binary file.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    endings: ClassVar[tuple[str, ...]] = ()
    holds: ClassVar[Literal["tokens", "texts"]] = "tokens"
    keeps: ClassVar[frozenset[str]] = frozenset()
    binary: ClassVar[bool] = False

    @abc.abstractmethod
    def detect(self, sample: Sample) -> bool:
        """Whether the file is in this format, by its content."""

    def is_evident(self, sample: Sample) -> bool:  # noqa: ARG002
        """Whether the content alone says that a file is a corpus, whatever its ending; `detect` is true."""
        return True

    @abc.abstractmethod
    def read(self, source: Source) -> Iterator[Record]:
        """The records of the file, one at a time; `Rejected` for each that cannot be used.

        Raises UserError only where nothing of the file can be read.
        """

    def survey(self, source: Source) -> Survey:
        """Counts what has to be known of the whole file before it is read.

        This one reads the file and counts its tags; a format of texts needs no survey.
        """
        found = Survey(layout=dict(source.layout))
        if self.holds == "texts":
            return found
        for record in self.read(source):
            if isinstance(record, TokenRecord) and record.tags:
                found.longest = max(found.longest, len(record.tags))
                found.tag_pairs.update(pairwise(("", *record.tags, "")))
        return found

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes sentences so that `read` gives them back.

        Raises:
          ValueError: a sentence that the format cannot hold.
          NotImplementedError: this format is only read.
        """
        raise NotImplementedError(f"{self.title} are only read")


def row_blocks(lines: Iterable[str]) -> Iterator[tuple[list[Row], list[Row]]]:
    """Each sentence of a file with a token on a line: the `#` lines before it, and its rows.

    Blank lines and `#` lines end a sentence.
    """
    comments: list[Row] = []
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if line.strip() and not line.startswith("#"):
            rows.append((number, line))
            continue
        if rows:
            yield comments, rows
            comments, rows = [], []
        if line.startswith("#"):
            comments.append((number, line))
    if rows:
        yield comments, rows


def check_tokens(sentence: Sentence, forbidden: str, target: str) -> None:
    """Raises ValueError for a token that is empty or has a forbidden character, and so does not fit into `target`.

    Args:
      sentence: the sentence to write.
      forbidden: a pattern of characters that no token may have.
      target: the name of the line or column, for the message.
    """
    for token in sentence.tokens:
        if not token or re.search(forbidden, token):
            raise ValueError(f"{sentence.id}: the token {token!r} does not fit into {target}")


def rejected(error: InvalidRecord, path: str, rows: list[Row]) -> Rejected:
    """The record of lines that raised `error`."""
    bad = BadLine(path, error.line or rows[0][0], error.found, error.expected, error.remedy)
    return Rejected(bad, "\n".join(line.rstrip("\r\n") for _, line in rows))
