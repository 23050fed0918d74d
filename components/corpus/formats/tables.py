"""Tables of tokens and tags other than plain CoNLL columns: CoNLL-U with entities in MISC, CoNLL-2012 brackets, CSV, and
lines of word|POS|TAG.

CoNLL-U     1<TAB>Ada<TAB>_<TAB>PROPN<TAB>…<TAB>NER=B-PER|SpaceAfter=No
CoNLL-2012  bc/cctv/00/cctv_0000   0   0   Ada   NNP   …   (PERSON*   -
CSV         Sentence #,Word,POS,Tag
            Sentence: 1,Ada,NNP,B-PER
            ,met,VBD,O
pipes       Ada|NNP|B-PER met|VBD|O
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO, Any

from components.corpus.formats.base import (
    Format,
    Record,
    Sample,
    Source,
    Survey,
    check_tokens,
    rejected,
    row_blocks,
)
from components.corpus.formats.conll import chosen_columns, header_columns, refuse_unbroken
from components.corpus.records import InvalidRecord, Read, Row, TokenRecord, quote
from components.corpus.tag_formats import is_any_tag
from components.corpus.text_files import lines, open_text
from components.errors import UserError
from components.ner.sentence import Span

_MISC_KEYS = ("NER", "Entity", "NE", "ner", "entity", "ne", "BIO", "bio")
_CONLLU_WIDTH = 10
_BRACKETS = re.compile(r"\(([^()*\s]+)|(\*)|(\))")


_SENTENCE_NAMES = frozenset(
    ("sentence #", "sentence", "sentence_id", "sentence id", "sent_id", "sentence_idx", "sent")
)
_DELIMITERS = (",", ";")
_FALLBACK_ENCODING = "cp1252"


class ConlluMisc(Format):
    """CoNLL-U whose last column, MISC, has the tag of each token, as NER=B-PER."""

    name = "conllu"
    title = "CoNLL-U with entities in MISC"
    endings = ("conllu",)
    holds = "tokens"
    keeps = frozenset({"documents", "ids"})

    def detect(self, sample: Sample) -> bool:
        """Token lines have ten columns, and one of them has a tag in MISC."""
        rows = [line.split("\t") for line in sample.lines[:2000] if not line.startswith("#")]
        rows = [row for row in rows if len(row) == _CONLLU_WIDTH and row[0][:1].isdigit()]
        return any(_misc_tag(row[9]) for row in rows)

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file. Multiword tokens and empty nodes are skipped."""
        document = ""
        for comments, rows in row_blocks(source.lines()):
            sentence_id = ""
            for number, comment in comments:
                key, _, value = comment[1:].partition("=")
                if key.strip().startswith("newdoc"):
                    document = value.strip() or f"document {number}"
                elif key.strip() == "sent_id":
                    sentence_id = value.strip()
            yield _conllu_sentence(rows, document, sentence_id, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes form and MISC, and an underscore in the other columns."""
        document = ""
        for number, item in enumerate(items, start=1):
            sentence = item.sentence
            check_tokens(sentence, r"[\t\n]", "a line")
            if sentence.document != document:
                document = sentence.document
                file.write(f"# newdoc id = {document}\n")
            file.write(f"# sent_id = {item.id or number}\n")
            for index, (token, tag) in enumerate(zip(sentence.tokens, sentence.tags), start=1):
                file.write("\t".join([str(index), token, *"_" * 7, f"NER={tag}"]) + "\n")
            file.write("\n")


def _misc_tag(misc: str) -> str:
    for field in misc.split("|"):
        key, separator, value = field.partition("=")
        if separator and key in _MISC_KEYS and is_any_tag(value):
            return value
    return ""


def _conllu_sentence(rows: list[Row], document: str, sentence_id: str, path: str) -> Record:
    tokens, tags, token_rows = [], [], []
    for number, row in rows:
        cells = row.split("\t")
        if len(cells) != _CONLLU_WIDTH:
            error = InvalidRecord(f"{len(cells)} columns", f"{_CONLLU_WIDTH} columns", number)
            return rejected(error, path, rows)
        if not cells[0].isdigit():
            continue
        tokens.append(cells[1])
        tags.append(_misc_tag(cells[9]) or "O")
        token_rows.append((number, row))
    return TokenRecord(tokens, tags, token_rows, document, sentence_id)


class Conll2012Brackets(Format):
    """CoNLL-2012 (OntoNotes): entities as brackets in a column, documents between #begin and #end."""

    name = "conll2012"
    title = "CoNLL-2012 brackets"
    holds = "tokens"
    keeps = frozenset({"documents"})

    def detect(self, sample: Sample) -> bool:
        """The file has a `#begin document` line, or its token lines have CoNLL-2012's columns."""
        return any(line.startswith("#begin document") for line in sample.lines[:5])

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file."""
        document = ""
        for comments, rows in row_blocks(source.lines()):
            for _, comment in comments:
                if comment.startswith("#begin document"):
                    document = comment.removeprefix("#begin document").strip()
            yield _bracket_sentence(rows, document, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes documents of one part, and a hyphen in the columns that are not known."""
        document: str | None = None
        for item in items:
            sentence = item.sentence
            check_tokens(sentence, r"\s", "a column")
            if sentence.document != document:
                if document is not None:
                    file.write("#end document\n")
                document = sentence.document
                name = re.sub(r"\s+", "_", document.strip("()")) or "document"
                file.write(f"#begin document ({name}); part 000\n")
            starts = {span.start: f"({span.type}" for span in sentence.spans}
            ends = {span.end - 1 for span in sentence.spans}
            for index, token in enumerate(sentence.tokens):
                if any(character in "()*" for character in starts.get(index, "(")[1:]):
                    raise ValueError(f"{sentence.id}: the type {starts[index]!r} has a bracket")
                closed = ")" if index in ends else ""
                bracket = (
                    starts.get(index, "") + ("" if closed and index in starts else "*") + closed
                )
                columns = ["document", "0", str(index), token, *"-" * 6, bracket, "-"]
                file.write("   ".join(columns) + "\n")
            file.write("\n")
        if document is not None:
            file.write("#end document\n")


def _bracket_sentence(rows: list[Row], document: str, path: str) -> Record:
    tokens: list[str] = []
    spans: list[Span] = []
    open_spans: list[tuple[int, str]] = []
    try:
        for index, (number, row) in enumerate(rows):
            cells = row.split()
            if len(cells) < 12:
                expected = "at least 12 columns, entities in the eleventh"
                raise InvalidRecord(f"{len(cells)} columns", expected, number)
            tokens.append(cells[3])
            for opened, _, closed in _BRACKETS.findall(cells[10]):
                if opened:
                    open_spans.append((index, opened))
                elif closed and not open_spans:
                    raise InvalidRecord(
                        f"the bracket {quote(cells[10])}", "an open bracket", number
                    )
                elif closed:
                    start, label = open_spans.pop()
                    spans.append(Span(start, index + 1, label))
        if open_spans:
            raise InvalidRecord("a bracket that is not closed", "brackets in pairs")
    except InvalidRecord as error:
        return rejected(error, path, rows)
    return TokenRecord(tokens, (), rows, document, "", spans)


class PipeTokens(Format):
    """A sentence a line, each token as word|tag or word|POS|tag."""

    name = "pipes"
    title = "word|POS|tag lines"
    holds = "tokens"

    def detect(self, sample: Sample) -> bool:
        """Every word of the first lines ends in a tag after a |."""
        complete = sample.lines[:20]
        return bool(complete) and all(
            "|" in word and is_any_tag(word.rpartition("|")[2])
            for line in complete
            for word in line.split()[:50]
        )

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file, one a line."""
        for number, line in enumerate(source.lines(), start=1):
            if not line.strip():
                continue
            rows = [(number, line)]
            cells = [word.split("|") for word in line.split()]
            short = next((parts for parts in cells if len(parts) < 2), None)
            if short is not None:
                error = InvalidRecord(f"a word without a tag, {quote(short[0])}", "word|tag")
                yield rejected(error, source.path, rows)
                continue
            # The word itself may be a |, as in |||O.
            width = min(len(parts) for parts in cells)
            tokens = ["|".join(parts[: len(parts) - width + 1]) for parts in cells]
            yield TokenRecord(tokens, [parts[-1] for parts in cells], rows)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes word|tag with IOB2 tags."""
        for item in items:
            check_tokens(item.sentence, r"\s", "a line")
            pairs = zip(item.sentence.tokens, item.sentence.tags, strict=True)
            file.write(" ".join(f"{token}|{tag}" for token, tag in pairs) + "\n")


class CsvTable(Format):
    """A CSV table with a token and its tag in each row, with or without a header, as Kaggle's NER corpus.

    A new value in the column of sentences begins a sentence (an empty cell continues it). Without a column of
    sentences, empty rows divide sentences. A file that is not UTF-8 is read as cp1252, which is reported.
    """

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
