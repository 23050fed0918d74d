"""The formats of corpora: how each is detected from a file's content, read, and written.

Add a format in three steps:

1. Write a subclass of `Format` (`formats/base.py`) into the module of its family in this folder; `PipeTokens` in
   `tables.py` is a short example. `detect` looks at the beginning of a file (`Sample`: its bytes, its lines, its
   first JSON record), never at the ending alone. `read` yields one record at a time and holds no more than that in
   memory:
     `TokenRecord`  tokens with tags as the file writes them (B-PER, B_PER, PER, … are normalized later), or with spans
                    of tokens, which may overlap;
     `TextRecord`   a text with spans of characters, which are checked and matched with tokens later;
     `Rejected`     a record that cannot be used (`rejected(error, path, rows)` makes it from an `InvalidRecord`);
     `Unused`       a record that its annotators rejected or skipped;
     `Notice`       what was left out or decided, as "discontinuous spans, left out": it is counted and shown.
   Raise `InvalidRecord(found, expected)` for an error in a record, and UserError where nothing can be read.
2. If columns or names of labels have to be known before the first record is read, override `survey` and put them into
   `Survey.layout` as JSON values; `read` finds them in `source.layout`. Formats of tags need no more: the survey of the
   base class counts their tags, from which scheme and form are detected.
3. Add an instance to `FORMATS` before the formats that would claim its files: the first whose `detect` is true reads.

A JSON format is a subclass of `JsonFormat`, which reads JSON Lines, arrays, an array in an object, and indented values
alike: it says what one JSON value holds (`read_value`) and how a sentence is written (`entry`).
"""

from __future__ import annotations

from components.corpus.formats.base import Format, Sample
from components.corpus.formats.conll import ConllColumns
from components.corpus.formats.jsonl import JsonTexts
from components.corpus.formats.label_studio import LabelStudioJson
from components.corpus.formats.spacy_docs import SpacyDocBin, SpacyTrainingJson
from components.corpus.formats.standoff import BratStandoff, InlineXml, WebannoTsv
from components.corpus.formats.tables import Conll2012Brackets, ConlluMisc, CsvTable, PipeTokens
from components.corpus.formats.token_json import GlinerJson, HuggingFaceTokens, ParquetTokens
from components.corpus.text_files import lines
from components.errors import UserError

FORMATS: tuple[Format, ...] = (
    # Binary formats, by their magic numbers.
    ParquetTokens(),
    SpacyDocBin(),
    # JSON, from the most specific to the least.
    GlinerJson(),
    HuggingFaceTokens(),
    LabelStudioJson(),
    SpacyTrainingJson(),
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
    """The format with this name. Raises UserError for an unknown name."""
    for known in FORMATS:
        if known.name == name.lower():
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise UserError(f"format={name}: found an unknown format; expected one of {names}")


def detect_format(path: str, encoding: str = "utf-8") -> Format:
    """The format of a file, by its content. Raises UserError for an empty file, and for an unknown format."""
    sample = Sample.of_file(path, encoding)
    for known in FORMATS:
        if known.detect(sample):
            return known
    if not sample.text.strip() and b"\0" not in sample.head:
        content = "only blank lines" if sample.head else "an empty file"
        raise UserError(
            f"{path}: found {content}; expected labelled text, such as CoNLL columns or JSON Lines. Write the file again, or"
            " remove it"
        )
    next(lines(path, encoding), None)  # raises the error that says why it is not text
    titles = ", ".join(known.title for known in FORMATS if known.name != InlineXml.name)
    raise UserError(f"{path}: found no known format; expected a corpus ({titles})")


def looks_like_corpus(path: str) -> bool:
    """Whether the content of a file alone says that it is a corpus."""
    try:
        sample = Sample.of_file(path)
    except UserError:
        return False
    known = next((known for known in FORMATS if known.detect(sample)), None)
    return known is not None and known.is_evident(sample)


def usual_endings() -> frozenset[str]:
    """The endings that corpus files usually have, by all formats."""
    return frozenset(ending for known in FORMATS for ending in known.endings)
