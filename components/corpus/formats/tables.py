"""CSV tables of a token and its tag in each row, with or without a header, as Kaggle's NER corpus.

    Sentence #,Word,POS,Tag
    Sentence: 1,Ada,NNP,B-PER
    ,met,VBD,O

A new value in the column of the sentence begins a sentence (an empty cell continues it). Without such
a column, empty rows divide sentences. A file that is not UTF-8 is read as cp1252, which is reported.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, Survey, rejected
from components.corpus.formats.conll import TAG_NAMES, TOKEN_NAMES
from components.corpus.records import InvalidRecord, Read, TokenRecord
from components.corpus.tag_formats import is_any_tag
from components.corpus.text_files import open_text, undecodable
from components.errors import UserError
from components.ner.tags import tags_of

_SENTENCE_NAMES = frozenset(
    ("sentence #", "sentence", "sentence_id", "sentence id", "sent_id", "sentence_idx", "sent")
)
_DELIMITERS = (",", ";")
_FALLBACK_ENCODING = "cp1252"
_UNBROKEN = 1000  # tokens without a border between sentences


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
        if _header_columns(rows[0]):
            return True
        complete = rows[:-1] or rows
        return all(len(row) == len(rows[0]) and row[-1] and is_any_tag(row[-1]) for row in complete)

    def survey(self, source: Source) -> Survey:
        """Finds the columns and the encoding, and counts the tags."""
        encoding = source.options.encoding
        notices = []
        try:
            with open_text(source.path, encoding) as file:
                for _ in file:
                    pass
        except UnicodeError:
            if encoding != "utf-8":
                raise UserError(undecodable(source.path, encoding)) from None
            encoding = _FALLBACK_ENCODING
            notices.append(
                f"not UTF-8: read as {_FALLBACK_ENCODING} (another encoding: --set encoding=NAME)"
            )
        with open_text(source.path, encoding) as file:
            first = next((line for line in file if line.strip()), "")
        delimiter = _delimiter_of(first)
        header = next(csv.reader([first], delimiter=delimiter), [])
        columns = _header_columns(header)
        layout: dict[str, Any] = {
            "encoding": encoding,
            "delimiter": delimiter,
            "header": columns is not None,
            "sentence": -1,
            "token": 0,
            "tag": len(header) - 1,
        }
        if columns is not None:
            layout.update(columns)
        if source.options.columns:
            layout["token"], layout["tag"] = _chosen_columns(source.options.columns, header)
        survey = Survey(layout=layout, notices=notices)
        longest = 0
        for record in self.read(Source(source.path, source.options, layout)):
            if isinstance(record, TokenRecord):
                longest = max(longest, len(record.tokens))
                survey.tag_pairs.update(pairwise(("", *record.tags, "")))
        if longest > _UNBROKEN:
            raise UserError(
                f"{source.path}: found a sentence of {longest} tokens; expected a column that numbers"
                " the sentences, or an empty row after each sentence"
            )
        return survey

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file."""
        layout = source.layout
        rows: list[tuple[int, list[str]]] = []
        sentence = ""
        with open_text(source.path, layout["encoding"]) as file:
            reader = csv.reader(file, delimiter=layout["delimiter"])
            for index, cells in enumerate(reader):
                if index == 0 and layout["header"]:
                    continue
                if not any(cell.strip() for cell in cells):
                    if rows:
                        yield _record(rows, layout, source.path)
                        rows = []
                    continue
                number = (
                    cells[layout["sentence"]].strip()
                    if 0 <= layout["sentence"] < len(cells)
                    else ""
                )
                if number and number != sentence:
                    if rows:
                        yield _record(rows, layout, source.path)
                    rows, sentence = [], number
                rows.append((reader.line_num, cells))
        if rows:
            yield _record(rows, layout, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes the columns Sentence #, Word and Tag with IOB2 tags."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("Sentence #", "Word", "Tag"))
        count = 0
        for item in items:
            count += 1
            sentence = item.sentence
            tags = tags_of(sentence.spans, len(sentence.tokens), "IOB2")
            for index, row in enumerate(zip(sentence.tokens, tags, strict=True)):
                writer.writerow((f"Sentence: {count}" if index == 0 else "", *row))
        return count


def _delimiter_of(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _header_columns(cells: list[str]) -> dict[str, int] | None:
    """The indices of the columns that a header row names, None if it is not a header."""
    names = [cell.strip().lower() for cell in cells]
    token = [index for index, name in enumerate(names) if name in TOKEN_NAMES]
    tag = [index for index, name in enumerate(names) if name in TAG_NAMES]
    if not token or not tag:
        return None
    sentence = [index for index, name in enumerate(names) if name in _SENTENCE_NAMES]
    return {"token": token[0], "tag": tag[-1], "sentence": sentence[0] if sentence else -1}


def _chosen_columns(chosen: str, header: list[str]) -> tuple[int, int]:
    """The indices that the setting `columns` names, by number from 1 or by header."""
    names = [cell.strip().lower() for cell in header]
    indices = []
    for part in (part.strip() for part in chosen.split(",")):
        if part.lower() in names:
            indices.append(names.index(part.lower()))
            continue
        try:
            number = int(part)
        except ValueError:
            number = 0
        if not number or abs(number) > len(header):
            raise UserError(
                f"columns={chosen}: found no column {part}; the first row has {', '.join(header)}"
            )
        indices.append(number - 1 if number > 0 else number)
    return indices[0], indices[1]


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
