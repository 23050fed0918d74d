"""The interface of a corpus format, and what it gets to see of a file."""

from __future__ import annotations

import abc
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import IO, Any, ClassVar, Literal

from components.corpus.options import ReadOptions
from components.corpus.records import (
    BadLine,
    InvalidRecord,
    Notice,
    Read,
    Rejected,
    TextRecord,
    TokenRecord,
    Unused,
)
from components.corpus.text_files import codec_name, ending_of, lines, read_head

Record = TokenRecord | TextRecord | Rejected | Unused | Notice


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, by which its format is found out.

    Attributes:
      path: the file.
      head: its first bytes, unpacked where the file is compressed.
      text: the same as text, with U+FFFD for bytes that are not in the encoding; "" for a binary file.
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
    def json_value(self) -> Any:
        """The first JSON object or array of the file, None where there is none or it does not fit into the sample."""
        text = self.text.lstrip()
        if text[:1] not in ("{", "["):
            return None
        try:
            return json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError):
            return None

    @cached_property
    def json_item(self) -> Any:
        """The first record of a JSON file: the first line's object, or the first element of an array.

        None where the file is not JSON, and `...` where it is but the first record does not fit into the sample.
        """
        from components.corpus.formats.json_items import first_item

        return first_item(self.text)


@dataclass
class Survey:
    """What a first pass over a file counts.

    Attributes:
      tag_pairs: how often each tag follows each other one, as the file writes them, with "" around each sentence.
      layout: what `read` has to know of the whole file, as JSON values (columns, say).
      documents: how many documents begin in the file.
      document_marks: how many lines mark the beginning of a document.
      notices: what was decided and the user should know.
    """

    tag_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    layout: dict[str, Any] = field(default_factory=dict)
    documents: int = 0
    document_marks: int = 0
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A file to read, how the user wants it read, and what the survey found.

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
      name: what the setting `format` and `tfx-ner convert --to` call it.
      title: what messages call it, as in "CoNLL columns".
      endings: endings of files that are usually in the format; a hint where the content fits several formats.
      holds: whether the records are tokens with tags or texts with spans of characters.
      keeps: what `write` keeps of a sentence besides tokens and entities: "documents", "ids", "metadata", "texts" (the
        white space between tokens).
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

    @abc.abstractmethod
    def read(self, source: Source) -> Iterator[Record]:
        """The records of the file, one at a time; `Rejected` for each that cannot be used.

        Raises UserError only where nothing of the file can be read.
        """

    def survey(self, source: Source) -> Survey:
        """Counts what has to be known of the whole file before it is read.

        This one reads the file and counts its tags; a format of texts needs no survey.
        """
        found = Survey()
        if self.holds == "texts":
            return found
        for record in self.read(source):
            if isinstance(record, TokenRecord) and record.tags:
                found.tag_pairs.update(pairwise(("", *record.tags, "")))
        return found

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes sentences so that `read` gives them back; ids and metadata are in their records. Returns their number.

        Raises:
          ValueError: a sentence that the format cannot hold.
          NotImplementedError: this format is only read.
        """
        raise NotImplementedError(f"{self.title} are only read")


def rejected(error: InvalidRecord, path: str, rows: list[tuple[int, str]]) -> Rejected:
    """The record of lines that raised `error`."""
    bad = BadLine(path, error.line or rows[0][0], error.found, error.expected, error.remedy)
    return Rejected(bad, "\n".join(line.rstrip("\r\n") for _, line in rows))
