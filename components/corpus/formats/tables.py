"""CSV tables of a token and its tag in each row, with or without a header, as Kaggle's NER corpus.

    Sentence #,Word,POS,Tag
    Sentence: 1,Ada,NNP,B-PER
    ,met,VBD,O

A new value in the column of sentences begins a sentence (an empty cell continues it). Without a column of sentences,
empty rows divide sentences. A file that is not UTF-8 is read as cp1252, which is reported.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, Survey, rejected
from components.corpus.formats.conll import chosen_columns, header_columns, refuse_unbroken
from components.corpus.records import InvalidRecord, Read, TokenRecord
from components.corpus.tag_formats import is_any_tag
from components.corpus.text_files import lines, open_text
from components.errors import UserError

_SENTENCE_NAMES = frozenset(
    ("sentence #", "sentence", "sentence_id", "sentence id", "sent_id", "sentence_idx", "sent")
)
_DELIMITERS = (",", ";")
_FALLBACK_ENCODING = "cp1252"


class CsvTable(Format):
    """A CSV table with a token and its tag in each row."""

    name = "csv"
    title = "CSV of tokens and tags"
    endings = ("csv",)
    holds = "tokens"

    def detect(self, sample: Sample) -> bool:
        """The first row names columns of tokens and tags, or the first rows end in a tag."""
        if not sample.lines or "\t" in sample.lines[0]:
            return False
        delimiter = _delimiter_of(sample.lines[0])
        try:
            rows = list(csv.reader(sample.lines[:20], delimiter=delimiter))
        except csv.Error:
            return False
        if len(rows[0]) < 2:
            return False
        if header_columns(rows[0]):
            return True
        complete = rows[:-1] or rows
        return all(len(row) == len(rows[0]) and row[-1] and is_any_tag(row[-1]) for row in complete)

    def survey(self, source: Source) -> Survey:
        """Finds the columns and the encoding, and counts the tags."""
        encoding = source.options.encoding
        notices = []
        try:
            deque(source.lines(), maxlen=0)
        except UserError:
            if encoding != "utf-8":
                raise
            encoding = _FALLBACK_ENCODING
            notices.append(
                f"not UTF-8: read as {_FALLBACK_ENCODING} (another encoding: --set encoding=NAME)"
            )
        first = next(line for line in lines(source.path, encoding) if line.strip())
        delimiter = _delimiter_of(first)
        cells = next(csv.reader([first], delimiter=delimiter))
        header = header_columns(cells)
        token, tag = header or (0, len(cells) - 1)
        if source.options.columns:
            token, tag, _ = chosen_columns(source.options.columns, cells)
        names = [cell.strip().lower() for cell in cells] if header else []
        numbers = [index for index, name in enumerate(names) if name in _SENTENCE_NAMES]
        layout = {
            "encoding": encoding,
            "delimiter": delimiter,
            "header": header is not None,
            "sentence": numbers[0] if numbers else None,
            "token": token,
            "tag": tag,
        }
        survey = super().survey(replace(source, layout=layout))
        survey.notices += notices
        refuse_unbroken(
            source,
            survey.longest,
            "a column that numbers the sentences, or an empty row after each sentence",
        )
        return survey

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file."""
        layout = source.layout
        rows: list[tuple[int, list[str]]] = []
        sentence = ""
        column = layout["sentence"]
        with open_text(source.path, layout["encoding"]) as file:
            reader = csv.reader(file, delimiter=layout["delimiter"])
            if layout["header"]:
                next(reader)
            for cells in reader:
                is_empty = not any(cell.strip() for cell in cells)
                number = "" if column is None else "".join(cells[column : column + 1]).strip()
                if rows and (is_empty or (number and number != sentence)):
                    yield _record(rows, layout, source.path)
                    rows = []
                sentence = number or sentence
                if not is_empty:
                    rows.append((reader.line_num, cells))
        if rows:
            yield _record(rows, layout, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes the columns Sentence #, Word and Tag with IOB2 tags."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("Sentence #", "Word", "Tag"))
        for number, item in enumerate(items, start=1):
            pairs = zip(item.sentence.tokens, item.sentence.tags, strict=True)
            for index, row in enumerate(pairs):
                writer.writerow((f"Sentence: {number}" if index == 0 else "", *row))


def _delimiter_of(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _record(rows: list[tuple[int, list[str]]], layout: Any, path: str) -> Record:
    lines = [(number, ",".join(cells)) for number, cells in rows]
    tokens, tags = [], []
    for number, cells in rows:
        try:
            token, tag = cells[layout["token"]], cells[layout["tag"]].strip()
        except IndexError:
            token, tag = "", ""
        if not tag:
            error = InvalidRecord(
                f"{len(cells)} columns, or an empty tag", "a token and its tag in each row", number
            )
            return rejected(error, path, lines)
        tokens.append(token)
        tags.append(tag)
    return TokenRecord(tokens, tags, lines)
