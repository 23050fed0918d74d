'''The formats of corpora: how each is found out from a file's content, read, and written.

Add a format in three steps:

1. Write a subclass of `Format` (`formats/base.py`) into the module of its family in this folder. `detect` looks at the
   beginning of a file (`Sample`: its bytes, its lines, its first JSON record), never at the ending alone. `read` yields
   one record at a time and holds no more than that in memory:
     `TokenRecord`  tokens with tags as the file writes them (B-PER, B_PER, PER, … are normalized later), or with spans
                    of tokens;
     `TextRecord`   a text with spans of characters, which are checked and matched with tokens later;
     `Rejected`     a record that cannot be used (`rejected(error, path, rows)` makes one of an `InvalidRecord`);
     `Unused`       a record that its annotators rejected or skipped;
     `Notice`       something that was left out or decided, as "discontinuous spans, left out": it is counted and shown.
   Raise `InvalidRecord(found, expected)` for what is wrong in a record, and UserError where nothing can be read.
2. If columns or names of labels have to be known before the first record is read, override `survey` and put them into
   `Survey.layout` as JSON values; `read` finds them in `source.layout`. Formats of tags need no more: the survey of the
   base class counts their tags, from which scheme and form are found out.
3. Add an instance to `FORMATS` before the formats that would claim its files: the first whose `detect` is true reads.

A whole format, for lines as `Ada|NNP|B-PER met|VBD|O`:

    class PipeTokens(Format):
        """A sentence a line, each token as word|tag or word|POS|tag."""

        name = "pipes"
        title = "word|tag lines"
        holds = "tokens"

        def detect(self, sample: Sample) -> bool:
            """The first lines hold nothing but words with a | in them."""
            return bool(sample.lines) and all("|" in word for word in sample.lines[0].split())

        def read(self, source: Source) -> Iterator[Record]:
            """The sentences, one a line."""
            for number, line in enumerate(source.lines(), start=1):
                if not line.strip():
                    continue
                rows = [(number, line)]
                cells = [word.split("|") for word in line.split()]
                if any(len(parts) < 2 for parts in cells):
                    error = InvalidRecord("a word without a tag", "word|tag")
                    yield rejected(error, source.path, rows)
                    continue
                yield TokenRecord([parts[0] for parts in cells], [parts[-1] for parts in cells], rows)

        def write(self, file: IO[str], items: Iterable[Read]) -> int:
            ...

JSON formats read their records by `json_items.read_items`, which takes JSON Lines, arrays, an array in an object, and
indented values alike, one record at a time.
'''

from __future__ import annotations

from components.corpus.formats.base import Format, Record, Sample, Source, Survey, rejected
from components.corpus.formats.conll import ConllColumns, looks_like_columns
from components.corpus.formats.conll_variants import Conll2012Brackets, ConlluMisc, PipeTokens
from components.corpus.formats.inline_xml import InlineXml
from components.corpus.formats.jsonl import JsonTexts
from components.corpus.formats.label_studio import LabelStudioJson
from components.corpus.formats.spacy_docs import SpacyDocBin
from components.corpus.formats.standoff import BratStandoff, WebannoTsv
from components.corpus.formats.tables import CsvTable
from components.corpus.formats.token_json import GlinerJson, HuggingFaceTokens, ParquetTokens
from components.errors import UserError

__all__ = [
    "FORMATS",
    "Format",
    "Record",
    "Sample",
    "Source",
    "Survey",
    "detect_format",
    "format_named",
    "looks_like_corpus",
    "rejected",
    "usual_endings",
]

FORMATS: tuple[Format, ...] = (
    # Binary formats, by their magic numbers.
    ParquetTokens(),
    SpacyDocBin(),
    # JSON, from the most specific to the least.
    GlinerJson(),
    HuggingFaceTokens(),
    LabelStudioJson(),
    JsonTexts(),
    # Text with a mark of its own.
    BratStandoff(),
    WebannoTsv(),
    Conll2012Brackets(),
    ConlluMisc(),
    InlineXml(),
    PipeTokens(),
    CsvTable(),
    # Anything else that is text.
    ConllColumns(),
)


def format_named(name: str) -> Format:
    """The format of that name. Raises UserError if there is none."""
    for known in FORMATS:
        if known.name == name.lower():
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise UserError(f"format={name}: there is no such format; expected one of {names}")


def detect_format(path: str, encoding: str = "utf-8") -> Format:
    """The format of a file, by its content. Raises UserError for a file that is in none, or is empty."""
    sample = Sample.of_file(path, encoding)
    for known in FORMATS:
        if known.detect(sample):
            return known
    if sample.text.strip() or b"\0" in sample.head:
        # Not text: the error of reading it as text says what it is.
        for _ in Source(path, _options(encoding)).lines():
            break
        raise UserError(f"{path}: found no format that is known here")
    raise UserError(f"{path}: found nothing but blank lines; expected a corpus ({titles()})")


def looks_like_corpus(path: str) -> bool:
    """Whether a file is in one of the formats by its content alone; columns need tags in their last column."""
    try:
        sample = Sample.of_file(path)
    except UserError:
        return False
    known = next((known for known in FORMATS if known.detect(sample)), None)
    if isinstance(known, JsonTexts):
        return _has_texts(sample.json_item)
    return looks_like_columns(sample.lines) if isinstance(known, ConllColumns) else bool(known)


def usual_endings() -> frozenset[str]:
    """The endings that corpus files usually have, by all formats."""
    return frozenset(ending for known in FORMATS for ending in known.endings)


def _has_texts(item: object) -> bool:
    if isinstance(item, list):
        return len(item) == 2 and isinstance(item[0], str)
    return isinstance(item, dict) and "text" in item


def titles() -> str:
    """The formats there are, for messages."""
    return ", ".join(known.title for known in FORMATS)


def _options(encoding: str):
    from components.corpus.options import ReadOptions

    return ReadOptions(encoding=encoding)
