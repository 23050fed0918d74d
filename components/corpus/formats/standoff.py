"""Standoff annotation: brat's `.ann` files with their texts, and WebAnno (INCEpTION) TSV 3; and inline XML, which is only named.

brat     doc.txt:  Ada met Bob in Rome.
         doc.ann:  T1<TAB>PER 0 3<TAB>Ada

WebAnno  #FORMAT=WebAnno TSV 3.3
         #T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value

         #Text=Ada met Bob.
         1-1<TAB>0-3<TAB>Ada<TAB>*<TAB>PER
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from components.corpus.formats.base import Format, Record, Sample, Source, rejected, row_blocks
from components.corpus.formats.jsonl import check_span, text_and_spans
from components.corpus.records import (
    CharSpan,
    InvalidRecord,
    Notice,
    Read,
    Row,
    TextRecord,
    TokenRecord,
    quote,
)
from components.corpus.text_files import base_name, lines
from components.errors import UserError
from components.ner.sentence import Span
from components.ner.tokens import text_of

_BRAT_LINE = re.compile(r"^([TREAMN#*]\d*)\t(.*)$")
_DISCONTINUOUS = "discontinuous spans, left out"
_SEVERAL_LINES = "spans over several lines of the text, whose lines are read as one sentence"


_TAGGED = re.compile(r"<(\w+)[^<>]*>[^<>]{1,200}</\1>")


class BratStandoff(Format):
    """brat's annotation files: `NAME.ann` next to `NAME.txt`. Each line of the text is a sentence."""

    name = "brat"
    title = "brat standoff"
    endings = ("ann",)
    holds = "texts"
    keeps = frozenset({"texts"})

    def detect(self, sample: Sample) -> bool:
        """The file ends in .ann and its text is in the same folder, or it has brat's lines."""
        if sample.ending != "ann":
            return False
        return os.path.isfile(_text_path(sample.path)) or (
            bool(sample.lines) and _BRAT_LINE.match(sample.lines[0]) is not None
        )

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the lines of the text with their entities."""
        text_path = _text_path(source.path)
        if not os.path.isfile(text_path):
            raise UserError(
                f"{source.path}: found no text for it; expected {base_name(text_path)} in the same"
                " folder"
            )
        text = "".join(lines(text_path, source.options.encoding))
        entities: list[tuple[CharSpan, int]] = []
        for number, line in enumerate(lines(source.path, source.options.encoding), start=1):
            line = line.rstrip("\r\n")
            if not line.startswith("T"):
                continue  # relations, events, attributes and notes are not entities
            try:
                span = _brat_entity(line, len(text))
            except InvalidRecord as error:
                yield rejected(error, source.path, [(number, line)])
                continue
            if span is None:
                yield Notice(_DISCONTINUOUS, source.path, number)
            else:
                entities.append((span, number))
        entities.sort()
        document = base_name(source.path).removesuffix(".ann")
        yield from _sentences(text, entities, document, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes the text into `NAME.txt` next to `NAME.ann`, which `file` is."""
        entities = position = 0
        with open(_text_path(file.name), "x", encoding="utf-8", newline="\n") as text_file:
            for item in items:
                text, spans = text_and_spans(item.sentence)
                text = text.replace("\n", " ")  # a line is a sentence; offsets stay the same
                for start, end, label in spans:
                    if re.search(r"\s", label):
                        raise ValueError(
                            f"the label {label!r} has white space; brat allows no white space"
                        )
                    entities += 1
                    edges = f"{position + start} {position + end}"
                    file.write(f"T{entities}\t{label} {edges}\t{text[start:end]}\n")
                text_file.write(text + "\n")
                position += len(text) + 1


def _text_path(path: str) -> str:
    return path.removesuffix(".ann") + ".txt"


def _brat_entity(line: str, length: int) -> CharSpan | None:
    """The entity of a T line in a text of that length, None for a discontinuous one."""
    parts = line.split("\t")
    fields = parts[1].split(" ", 1) if len(parts) > 1 else []
    if len(fields) != 2:
        raise InvalidRecord(f"the line {quote(line)}", "ID<TAB>TYPE START END<TAB>TEXT")
    if ";" in fields[1]:
        return None
    try:
        start, end = map(int, fields[1].split())
    except ValueError:
        raise InvalidRecord(f"the offsets {quote(fields[1])}", "START END") from None
    if not 0 <= start < end <= length:
        raise InvalidRecord(
            f"the span {start} to {end} in a text of {length} characters",
            f"offsets from 0 to {length}, in Unicode code points",
        )
    return check_span(start, end, fields[0], parts[2] if len(parts) > 2 else "")


def _sentences(
    text: str, entities: list[tuple[CharSpan, int]], document: str, path: str
) -> Iterator[Record]:
    """Divides a text at line ends that are not inside an entity."""
    start = index = 0
    boundaries = [match.end() for match in re.finditer("\n", text)] + [len(text)]
    line_number = first_line = 1
    for end in boundaries:
        inside = [span for span, _ in entities[index:] if span.start < end]
        if any(span.end > end for span in inside) and end < len(text):
            line_number += 1
            yield Notice(_SEVERAL_LINES, path, line_number)
            continue
        sentence = text[start:end].rstrip("\n")
        if sentence.strip():
            spans = [
                span._replace(start=span.start - start, end=span.end - start) for span in inside
            ]
            number = entities[index][1] if inside else first_line
            yield TextRecord(sentence, spans, ((number, sentence),), document)
        index += len(inside)
        start, line_number = end, line_number + 1
        first_line = line_number


class WebannoTsv(Format):
    """WebAnno TSV 3: tokens with offsets, and the values of annotation layers in columns."""

    name = "webanno"
    title = "WebAnno TSV 3"
    holds = "tokens"
    keeps = frozenset({"texts"})

    def detect(self, sample: Sample) -> bool:
        """The first line names the format."""
        return bool(sample.lines) and sample.lines[0].startswith("#FORMAT=WebAnno TSV 3")

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file, with the entities of its named-entity layer."""
        column = -1
        document = base_name(source.path)
        for comments, block in row_blocks(source.lines()):
            if column < 0:
                column = _entity_column(comments, source.path)
            rows = [row for row in block if row[1][:1].isdigit()]
            if rows:
                yield from _webanno_sentence(rows, column, document, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes one named-entity layer."""
        file.write(
            "#FORMAT=WebAnno TSV 3.3\n"
            "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n"
        )
        position = 0
        for number, item in enumerate(items, start=1):
            text, offsets = text_of(item.sentence)
            values = ["_\t_"] * len(offsets)
            for index, span in enumerate(item.sentence.spans, start=1):
                value = f"*[{index}]\t{_escaped(span.type)}[{index}]"
                values[span.start : span.end] = [value] * (span.end - span.start)
            file.write(f"\n#Text={_escaped_text(text)}\n")
            for index, ((start, end), value) in enumerate(zip(offsets, values), start=1):
                edges = f"{position + _utf16(text[:start])}-{position + _utf16(text[:end])}"
                file.write(f"{number}-{index}\t{edges}\t{text[start:end]}\t{value}\t\n")
            position += _utf16(text) + 1


class _Value(NamedTuple):
    """A value in the column of entities: its label, and the number that joins the tokens of an entity."""

    label: str
    number: str


def _entity_column(header: list[Row], path: str) -> int:
    """The index of the column with the types of entities, from the header."""
    column = 3  # after the token's number, its offsets and the token
    candidates = []
    for _, layer in header:
        if not layer.startswith(("#T_SP=", "#T_CH=", "#T_RL=")):
            continue
        kind, _, definition = layer.partition("=")
        name, *features = definition.split("|")
        if kind == "#T_SP":
            feature = features.index("value") if "value" in features else 0
            candidates.append(("NamedEntity" not in name, column + feature))
        column += max(1, len(features))
    if not candidates:
        raise UserError(
            f"{path}: found no layer of spans in the header; expected a line #T_SP=…|value, as"
            " WebAnno and INCEpTION write for named entities"
        )
    return min(candidates)[1]


def _webanno_sentence(rows: list[Row], column: int, document: str, path: str) -> Iterator[Record]:
    tokens: list[str] = []
    token_rows: list[Row] = []
    values: list[list[_Value]] = []
    for number, row in rows:
        cells = row.split("\t")
        if len(cells) <= column:
            error = InvalidRecord(
                f"{len(cells)} columns",
                f"at least {column + 1} columns, as the header says",
                number,
            )
            yield rejected(error, path, rows)
            return
        if "." in cells[0]:
            # A part of the token before it, annotated by itself: the model cannot cut tokens.
            yield Notice("annotations of parts of tokens, left out", path, number)
            continue
        tokens.append(cells[2])
        token_rows.append((number, row))
        values.append([_value_of(value) for value in cells[column].split("|") if value != "_"])
    spans = []
    open_spans: dict[_Value, int] = {}
    for index, here in enumerate([*values, []]):
        for value, start in list(open_spans.items()):
            if value not in here:
                spans.append(Span(start, index, value.label))
                del open_spans[value]
        for value in here:
            if not value.number:
                spans.append(Span(index, index + 1, value.label))
            else:
                open_spans.setdefault(value, index)
    yield TokenRecord(tokens, (), token_rows, document, "", spans)


def _value_of(cell: str) -> _Value:
    match = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", cell, re.DOTALL)
    label, number = match.groups() if match else (cell, "")
    label = re.sub(r"\\(.)", r"\1", label)
    return _Value("ENTITY" if label in ("*", "") else label, number or "")


def _escaped(label: str) -> str:
    return re.sub(r"([\\\[\]|_;>*])", r"\\\1", label)


def _escaped_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _utf16(text: str) -> int:
    """The length of a text in UTF-16 units, which WebAnno counts."""
    return len(text) + sum(character > "\uffff" for character in text)


class InlineXml(Format):
    """Text with entities in XML tags, as <ENAMEX TYPE="PER">Ada</ENAMEX>; it is refused."""

    name = "xml"
    title = "inline XML"
    holds = "texts"

    def detect(self, sample: Sample) -> bool:
        """The file begins with a tag and has text in tags."""
        begin = sample.text.lstrip()[:1]
        return begin == "<" and _TAGGED.search(sample.text[:100_000]) is not None

    def read(self, source: Source) -> Iterator[Record]:
        """Raises UserError with what to do."""
        raise UserError(
            f"{source.path}: found inline XML; expected one of the formats that tfx-ner reads. Export"
            " the corpus as CoNLL columns, brat standoff or JSON with character spans"
        )
        yield
