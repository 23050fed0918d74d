"""JSON records of a text with character spans, as spaCy, Prodigy, doccano and `tfx-ner predict` write them.

    spaCy    {"text": …, "entities": [[start, end, label], …]}
             [text, {"entities": [[start, end, label], …]}]
    Prodigy  {"text": …, "spans": [{"start": …, "end": …, "label": …}, …], "answer": "accept"}
    doccano  {"text": …, "label": [[start, end, label], …]}, or under "labels"
             {"text": …, "entities": [{"start_offset": …, "end_offset": …, "label": …}, …]}
             {"text": …, "annotations": [{"label": …, "start_offset": …, "end_offset": …}, …]}
    spaCy    {"text": …, "ents": [{"start": …, "end": …, "label": …}, …]}, from Doc.to_json
    Dataturks  {"content": …, "annotation": [{"label": […], "points": [{"start": …, "end": …}]}]}
    tfx-ner  {"text": …, "entities": [{"start": …, "end": …, "type": …, "score": …}, …]}

The text may also be under "data" or "content". Dataturks' ends are inclusive. Integer labels, as in
doccano's old exports, become types named by their number.

One record a line, or in a JSON array. Offsets count Unicode code points, end excluded. A string or number under
"document" is the identity of the text's document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, rejected
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
from components.ner.sentence import Sentence, Span
from components.ner.tokens import text_of

TEXT_KEYS = ("text", "data", "content")
SPAN_KEYS = ("entities", "spans", "label", "labels", "ents", "annotations", "annotation")
ONE_TEXT = "records about the text before them (Prodigy's binary questions), merged with it"
JSONL_STYLES = ("spacy", "prodigy", "doccano")
_SHAPE = 'an object with "text" and one of "entities", "spans", "label" or "labels"'
_SPAN_SHAPE = "[start, end, label], or an object with start, end and label"
_KNOWN = {*TEXT_KEYS, *SPAN_KEYS, "document", "answer", "id"}


class JsonTexts(Format):
    """JSON records of texts with character spans (spaCy, Prodigy, doccano, tfx-ner's own output)."""

    name = "jsonl"
    title = "JSON Lines"
    endings = ("jsonl", "ndjson", "jsonlines", "json")
    holds = "texts"
    keeps = frozenset({"documents", "ids", "metadata", "texts"})

    def detect(self, sample: Sample) -> bool:
        """Any JSON that no other format claims, and a file that is called JSON, so that errors speak of that."""
        return sample.json_item is not None or sample.ending in self.endings

    def read(self, source: Source) -> Iterator[Record]:
        """The texts of the file."""
        waiting: TextRecord | None = None  # a text of Prodigy's, of which the next record may be
        for value, row in read_items(source.path, source.options.encoding):
            try:
                if isinstance(value, InvalidRecord):
                    raise value
                for record in _records(value, row, source.path):
                    if not isinstance(record, TextRecord):
                        yield record
                    elif waiting and _is_same_text(waiting, record):
                        waiting = waiting._replace(spans=[*waiting.spans, *record.spans])
                        yield Notice(ONE_TEXT, source.path, row[0])
                    else:
                        if waiting:
                            yield waiting
                        waiting = record
            except InvalidRecord as error:
                if waiting:
                    yield waiting
                    waiting = None
                yield rejected(error, source.path, [row])
        if waiting:
            yield waiting

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes spaCy's style, with the id and the further fields of the record."""
        count = 0
        for item in items:
            count += 1
            text, offsets = text_of(item.sentence)
            spans = [char_span(span, text, offsets, item.sentence) for span in item.sentence.spans]
            record = item.record
            entry: dict[str, object] = {"text": text, "entities": spans}
            if item.sentence.document:
                entry["document"] = item.sentence.document
            if record and record.id:
                entry["id"] = record.id
            if record and record.metadata:
                entry |= {key: record.metadata[key] for key in record.metadata if key not in _KNOWN}
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        return count


def write_jsonl(file: IO[str], sentences: Iterable[Sentence], style: str = "spacy") -> int:
    """Writes a JSON object a line.

    Where a sentence has no text, it is its tokens joined by spaces. Such a text read again has the tokens of the
    model's tokenizer, which may be others.

    Args:
      file: a text file that is open for writing.
      sentences: what to write.
      style: one of `JSONL_STYLES`.

    Returns:
      The number of sentences.

    Raises:
      ValueError: an unknown style, or an entity without a visible character, which has no place in a text.
    """
    if style not in JSONL_STYLES:
        raise ValueError(
            f"{style!r} is no style of JSON Lines; the styles are {', '.join(JSONL_STYLES)}"
        )
    count = 0
    for sentence in sentences:
        count += 1
        text, offsets = text_of(sentence)
        spans = [char_span(span, text, offsets, sentence) for span in sentence.spans]
        entry: dict[str, object] = {"text": text}
        if style == "spacy":
            entry["entities"] = spans
        elif style == "doccano":
            entry["label"] = spans
        else:
            entry["spans"] = [
                {"start": start, "end": end, "label": label} for start, end, label in spans
            ]
            entry["answer"] = "accept"
        if sentence.document:
            entry["document"] = sentence.document
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return count


def char_span(
    span: Span, text: str, offsets: tuple[tuple[int, int], ...], sentence: Sentence
) -> tuple[int, int, str]:
    """A span of tokens in characters, without white space at its edges, which a token of a CoNLL file can have."""
    start, end = offsets[span.start][0], offsets[span.end - 1][1]
    surface = text[start:end]
    start += len(surface) - len(surface.lstrip())
    end -= len(surface) - len(surface.rstrip())
    if start >= end:
        raise ValueError(
            f"{sentence.id or sentence.tokens}: the entity at token {span.start} has no visible character"
        )
    return start, end, span.type


def _is_same_text(first: TextRecord, second: TextRecord) -> bool:
    """Whether two records are Prodigy's questions about one text, each with one span."""
    return (
        first.text == second.text
        and (second.metadata or {}).get("_view_id") == "ner"
        and (first.metadata or {}).get("_view_id") == "ner"
    )


def check_text(text: object) -> str:
    """The text of a record. Raises InvalidRecord where it is no string, or has half of a surrogate pair."""
    if not isinstance(text, str):
        raise InvalidRecord(f"{kind_of(text)} as text, {quote(text)}", "a string")
    refuse_surrogates(text, "the text")
    return text


def check_document(document: object) -> str:
    """The identity of a record's document. Raises InvalidRecord where it is neither a string nor an integer."""
    if isinstance(document, bool) or not isinstance(document, (str, int)):
        raise InvalidRecord(
            f"{kind_of(document)} as document, {quote(document)}", "a string or an integer"
        )
    refuse_surrogates(str(document), "the document's name")
    return str(document)


def check_span(start: object, end: object, label: object, surface: object = "") -> CharSpan:
    """A span of characters. Raises InvalidRecord where its offsets are no integers or its label no name of a type."""
    for name, value in (("start", start), ("end", end)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidRecord(
                f"{kind_of(value)} as {name} of a span, {quote(value)}", "an integer"
            )
    if not isinstance(label, str) or not label or label != label.strip() or not label.isprintable():
        raise InvalidRecord(
            f"{kind_of(label)} as label of a span, {quote(label)}",
            "a printable string, without white space at its edges",
        )
    return CharSpan(start, end, label, surface if isinstance(surface, str) else "")


def refuse_surrogates(text: str, where: str) -> None:
    """Raises InvalidRecord for half of a surrogate pair: JSON can escape it, but it is no character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = quote(text[error.start])
        raise InvalidRecord(
            f"half of a surrogate pair, {half}, in {where}", "Unicode characters, as in UTF-8"
        ) from None


def kind_of(value: object) -> str:
    """The type of a JSON value, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def _records(value: object, row: tuple[int, str], path: str) -> Iterator[Record]:
    text, entry = _text_and_entry(value)
    answer = entry.get("answer", "accept")
    if answer != "accept":
        if answer not in ("reject", "ignore"):
            raise InvalidRecord(f"the answer {quote(answer)}", '"accept", "reject" or "ignore"')
        yield Unused(path, row[0], str(answer))
        return
    items = _items(entry)
    if items and all(isinstance(item, str) for item in items):
        yield Unused(path, row[0], "labelled as a whole, without spans")  # doccano, classification
        return
    spans, dropped = [], 0
    for item in items:
        if isinstance(item, dict) and item.get("answer", "accept") != "accept":
            dropped += 1
        else:
            spans.append(_span(item))
    numbered = sum(span.label.isdigit() for span in spans)
    if numbered:
        what = "spans with a number as label, as in old exports of doccano, read as a type of that name"
        yield Notice(what, path, row[0], numbered)
    if dropped:
        yield Notice("spans rejected by an annotator, left out", path, row[0], dropped)
    metadata = {key: entry[key] for key in entry if key not in _KNOWN} or None
    identity = entry.get("id", "")
    yield TextRecord(
        text,
        spans,
        (row,),
        check_document(entry.get("document", "")),
        str(identity) if isinstance(identity, (str, int)) else "",
        metadata,
    )


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
    """The spans as the record has them, under whichever key."""
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
    if isinstance(item, dict) and "points" in item:
        return _dataturks_span(item)
    if isinstance(item, dict):
        start, end = (item.get(key, item.get(f"{key}_offset")) for key in ("start", "end"))
        label = item.get("label", item.get("type"))
        if isinstance(label, int) and not isinstance(label, bool):
            label = str(label)
        return check_span(start, end, label, item.get("text", ""))
    raise InvalidRecord(f"{kind_of(item)} as a span, {quote(item)}", _SPAN_SHAPE)


def _dataturks_span(item: dict[str, Any]) -> CharSpan:
    """A span of Dataturks, whose end is inclusive."""
    labels, points = item.get("label"), item.get("points")
    if isinstance(labels, list) and len(labels) == 1:
        labels = labels[0]
    if not isinstance(points, list) or len(points) != 1 or not isinstance(points[0], dict):
        raise InvalidRecord(f"the points {quote(points)} of a span", "one pair of start and end")
    span = check_span(points[0].get("start"), points[0].get("end"), labels, points[0].get("text"))
    return span._replace(end=span.end + 1)
