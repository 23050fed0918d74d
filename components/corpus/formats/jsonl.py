"""JSON formats in general, and records of a text with character spans as spaCy, Prodigy and doccano write them.

    spaCy    {"text": …, "entities": [[start, end, label], …]}
             [text, {"entities": [[start, end, label], …]}]
             {"text": …, "ents": [{"start": …, "end": …, "label": …}, …]}, from Doc.to_json
    Prodigy  {"text": …, "spans": [{"start": …, "end": …, "label": …}, …], "answer": "accept"}
    doccano  {"text": …, "label": [[start, end, label], …]}, or under "labels"
             {"text": …, "entities": [{"start_offset": …, "end_offset": …, "label": …}, …]}
             {"text": …, "annotations": [{"label": …, "start_offset": …, "end_offset": …}, …]}
    Dataturks  {"content": …, "annotation": [{"label": […], "points": [{"start": …, "end": …}]}]}
    tfx-ner  {"text": …, "entities": [{"start": …, "end": …, "type": …, "score": …}, …]}

The text may also be under "data" or "content". Dataturks' ends are inclusive. Integer labels, as in doccano's old
exports, become types named by their number. Offsets count Unicode code points, end excluded. A string or integer under
"document" is the identity of the text's document.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, ClassVar

from components.corpus.formats.base import Format, Record, Row, Sample, Source, rejected
from components.corpus.formats.json_items import read_items
from components.corpus.records import (
    CharSpan,
    InvalidRecord,
    Notice,
    Read,
    TextRecord,
    Unused,
    quote,
)
from components.corpus.text_files import JSON_ENDINGS
from components.ner.sentence import Sentence
from components.ner.tokens import text_of

TEXT_KEYS = ("text", "data", "content")
SPAN_KEYS = ("entities", "spans", "label", "labels", "ents", "annotations", "annotation")
ONE_TEXT = "records about the text before them (Prodigy's binary questions), merged with it"
_SHAPE = 'an object with "text" and one of "entities", "spans", "label" or "labels"'
_SPAN_SHAPE = "[start, end, label], or an object with start, end and label"
_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
}
_KNOWN = {*TEXT_KEYS, *SPAN_KEYS, "document", "answer", "id"}


class JsonFormat(Format):
    """A format of JSON records, which are read from JSON Lines, an array, or an array in an object.

    Attributes:
      as_array: whether `write` writes one array; otherwise it writes JSON Lines.
      objects_only: whether each record is an object.
    """

    as_array: ClassVar[bool] = False
    objects_only: ClassVar[bool] = True

    @abc.abstractmethod
    def read_value(self, value: Any, row: Row, source: Source) -> Iterator[Record]:
        """The records of one JSON value. Raises InvalidRecord."""

    def entry(self, item: Read, number: int) -> Mapping[str, object]:
        """The JSON object of a sentence. `number` is its number in the file, from 1. Raises ValueError."""
        raise NotImplementedError(f"{self.title} are only read")

    def read(self, source: Source) -> Iterator[Record]:
        """The records of the file."""
        for value, row in read_items(source.path, source.options.encoding):
            try:
                if isinstance(value, InvalidRecord):
                    raise value
                if self.objects_only and not isinstance(value, dict):
                    raise InvalidRecord(f"{kind_of(value)}, {quote(value)}", "an object")
                yield from self.read_value(value, row, source)
            except InvalidRecord as error:
                yield rejected(error, source.path, [row])

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes one array or JSON Lines."""
        begin, separator, end = ("[\n", ",\n", "\n]\n") if self.as_array else ("", "\n", "\n")
        file.write(begin)
        for number, item in enumerate(items, start=1):
            text = json.dumps(self.entry(item, number), ensure_ascii=False)
            file.write(separator + text if number > 1 else text)
        file.write(end)


class JsonTexts(JsonFormat):
    """JSON records of texts with character spans (spaCy, Prodigy, doccano, tfx-ner's own output)."""

    name = "jsonl"
    title = "JSON Lines"
    endings = JSON_ENDINGS
    holds = "texts"
    keeps = frozenset({"documents", "ids", "metadata", "texts"})
    objects_only = False

    def detect(self, sample: Sample) -> bool:
        """Any JSON that no other format claims, and a file named as JSON, so that errors name JSON."""
        return sample.json_item is not None or sample.ending in self.endings

    def is_evident(self, sample: Sample) -> bool:
        """Whether the first record is a text with its labels."""
        item = sample.json_item
        if isinstance(item, list):
            return len(item) == 2 and isinstance(item[0], str)
        return isinstance(item, dict) and "text" in item

    def read(self, source: Source) -> Iterator[Record]:
        """The texts of the file. Prodigy's binary questions about one text are merged."""
        question: TextRecord | None = None  # the next record may be about the same text
        for record in super().read(source):
            if isinstance(record, TextRecord) and _is_question(record):
                if question and record.text == question.text:
                    question = question._replace(spans=[*question.spans, *record.spans])
                    yield Notice(ONE_TEXT, source.path, record.lines[0][0])
                    continue
                if question:
                    yield question
                question = record
            else:
                if question and not isinstance(record, Notice):
                    yield question
                    question = None
                yield record
        if question:
            yield question

    def read_value(self, value: Any, row: Row, source: Source) -> Iterator[Record]:
        """The text with its spans, or why it is not used."""
        text, entry = _text_and_entry(value)
        answer = entry.get("answer", "accept")
        if answer not in ("accept", "reject", "ignore"):
            raise InvalidRecord(f"the answer {quote(answer)}", '"accept", "reject" or "ignore"')
        if answer != "accept":
            yield Unused(source.path, row[0], answer)
            return
        items = _items(entry)
        if items and all(isinstance(item, str) for item in items):  # doccano, classification
            yield Unused(source.path, row[0], "labelled as a whole, without spans")
            return
        accepted = [
            item
            for item in items
            if not isinstance(item, dict) or item.get("answer", "accept") == "accept"
        ]
        spans = [_span(item) for item in accepted]
        numbered = sum(span.label.isdigit() for span in spans)
        if numbered:
            what = "spans with a number as label, as in old exports of doccano, read as a type of that name"
            yield Notice(what, source.path, row[0], numbered)
        if len(accepted) < len(items):
            what = "spans rejected by an annotator, left out"
            yield Notice(what, source.path, row[0], len(items) - len(accepted))
        metadata = {key: entry[key] for key in entry if key not in _KNOWN}
        yield TextRecord(
            text, spans, (row,), check_document(entry), check_id(entry), metadata or None
        )

    def entry(self, item: Read, number: int) -> Mapping[str, object]:  # noqa: ARG002
        """The text in spaCy's style, with the id and the metadata of the record."""
        text, spans = text_and_spans(item.sentence)
        entry: dict[str, object] = {"text": text, "entities": spans}
        if item.sentence.document:
            entry["document"] = item.sentence.document
        if item.id:
            entry["id"] = item.id
        return entry | {key: item.metadata[key] for key in item.metadata if key not in _KNOWN}


def text_and_spans(sentence: Sentence) -> tuple[str, list[tuple[int, int, str]]]:
    """The text of a sentence and its entities as (start, end, type) in characters.

    White space at an edge of an entity, which a token of a CoNLL file can have, is left out.

    Raises:
      ValueError: an entity without a visible character.
    """
    text, offsets = text_of(sentence)
    spans = []
    for span in sentence.spans:
        start, end = offsets[span.start][0], offsets[span.end - 1][1]
        surface = text[start:end]
        start += len(surface) - len(surface.lstrip())
        end -= len(surface) - len(surface.rstrip())
        if start >= end:
            raise ValueError(
                f"{sentence.id or sentence.tokens}: the entity at token {span.start} has no visible character"
            )
        spans.append((start, end, span.type))
    return text, spans


def check_text(text: object) -> str:
    """The text of a record. Raises InvalidRecord for anything but a string, and for half of a surrogate pair."""
    if not isinstance(text, str):
        raise unexpected(text, "text", "a string")
    refuse_surrogates(text, "the text")
    return text


def check_document(entry: Mapping[str, object]) -> str:
    """The identity of a record's document. Raises InvalidRecord where it is neither a string nor an integer."""
    document = entry.get("document", "")
    if isinstance(document, bool) or not isinstance(document, (str, int)):
        raise unexpected(document, "document", "a string or an integer")
    refuse_surrogates(str(document), "the document's name")
    return str(document)


def check_id(entry: Mapping[str, object]) -> str:
    """The id of a record, "" where it is neither a string nor a number."""
    identity = entry.get("id", "")
    return str(identity) if isinstance(identity, (str, int)) else ""


def check_span(start: object, end: object, label: object, surface: object = "") -> CharSpan:
    """A span of characters. Raises InvalidRecord for offsets that are not integers, and a label that names no type."""
    for name, value in (("start", start), ("end", end)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise unexpected(value, f"{name} of a span", "an integer")
    if not isinstance(label, str) or not label or label != label.strip() or not label.isprintable():
        expected = "a printable string, without white space at its edges"
        raise unexpected(label, "label of a span", expected)
    return CharSpan(start, end, label, surface if isinstance(surface, str) else "")


def refuse_surrogates(text: str, where: str) -> None:
    """Raises InvalidRecord for half of a surrogate pair: JSON can escape it, but it is not a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = quote(text[error.start])
        raise InvalidRecord(
            f"half of a surrogate pair, {half}, in {where}", "Unicode characters, as in UTF-8"
        ) from None


def kind_of(value: object) -> str:
    """The type of a JSON value, in words."""
    return _KINDS.get(type(value), "an object")


def unexpected(value: object, role: str, expected: str) -> InvalidRecord:
    """The error for a JSON value of another type than `expected`; `role` names the value."""
    return InvalidRecord(f"{kind_of(value)} as {role}, {quote(value)}", expected)


def _is_question(record: TextRecord) -> bool:
    """Whether a record is one of Prodigy's binary questions: a text with one span to accept or reject."""
    return (record.metadata or {}).get("_view_id") == "ner"


def _text_and_entry(value: object) -> tuple[str, dict[str, object]]:
    """The text and the object that describes it."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
        text, entry = value
    elif isinstance(value, dict):
        key = next((key for key in TEXT_KEYS if key in value), None)
        if key is None:
            raise InvalidRecord(
                f'an object without "text" (its keys: {quote(", ".join(value))})', _SHAPE
            )
        text, entry = value[key], value
    else:
        raise InvalidRecord(f"{kind_of(value)}, {quote(value)}", _SHAPE)
    return check_text(text), entry


def _items(entry: dict[str, object]) -> list[Any]:
    """The spans as the record has them, under any of the keys for spans."""
    present = [key for key in SPAN_KEYS if key in entry]
    arrays = [key for key in present if isinstance(entry[key], list)]
    if len(arrays) > 1:
        raise InvalidRecord(
            f"spans under both {quote(arrays[0])} and {quote(arrays[1])}", "spans under one key"
        )
    if arrays:
        return entry[arrays[0]]  # type: ignore[return-value]
    if "answer" in entry and all(entry[key] is None for key in present):
        return []  # Prodigy leaves the spans out of a text that has none, or writes null
    if present:
        raise InvalidRecord(
            f"{kind_of(entry[present[0]])} under {quote(present[0])}, {quote(entry[present[0]])}",
            f"an array of spans, each {_SPAN_SHAPE}",
        )
    raise InvalidRecord(
        f"a text without spans (its keys: {quote(', '.join(entry))})",
        f"{_SHAPE}: an empty array, if it has no entities",
    )


def _span(item: Any) -> CharSpan:
    if isinstance(item, list) and len(item) in (3, 4):
        return check_span(*item)
    if not isinstance(item, dict):
        raise unexpected(item, "a span", _SPAN_SHAPE)
    if "points" in item:
        return _dataturks_span(item)
    start, end = (item.get(key, item.get(f"{key}_offset")) for key in ("start", "end"))
    label = item.get("label", item.get("type"))
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    return check_span(start, end, label, item.get("text", ""))


def _dataturks_span(item: dict[str, Any]) -> CharSpan:
    """A span of Dataturks, which includes its end."""
    labels, points = item.get("label"), item.get("points")
    if isinstance(labels, list) and len(labels) == 1:
        labels = labels[0]
    if not isinstance(points, list) or len(points) != 1 or not isinstance(points[0], dict):
        raise InvalidRecord(f"the points {quote(points)} of a span", "one pair of start and end")
    span = check_span(points[0].get("start"), points[0].get("end"), labels, points[0].get("text"))
    return span._replace(end=span.end + 1)
