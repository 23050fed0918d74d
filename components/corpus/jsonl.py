"""JSON Lines with character spans: one text a line, as spaCy, Prodigy and doccano write them.

    spaCy    {"text": …, "entities": [[start, end, label], …]}
             [text, {"entities": [[start, end, label], …]}]
    Prodigy  {"text": …, "spans": [{"start": …, "end": …, "label": …}, …], "answer": "accept"}
    doccano  {"text": …, "label": [[start, end, label], …]}, or under "labels"
             {"text": …, "entities": [{"start_offset": …, "end_offset": …, "label": …}, …]}

Offsets count Unicode code points, end excluded. A text is one sentence, its tokens are those of the known way, and
every span consists of whole tokens. A string or number under "document" is the identity of the text's document.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from components.corpus.files import base_name
from components.corpus.records import BadLine, Read, Rejected, Unused, quote
from components.ner.sentence import Sentence, Span
from components.ner.tokens import is_space, tokenize

SPAN_KEYS = ("entities", "spans", "label", "labels")
_SHAPE = 'an object with "text" and one of "entities", "spans", "label" or "labels"'
_SPAN_SHAPE = "[start, end, label], or an object with start, end and label"


class Bad(Exception):
    """What was found in a line, and what was expected."""

    def __init__(self, found: str, expected: str):
        super().__init__(found, expected)
        self.found, self.expected = found, expected


def read(lines: Iterable[str], file: str) -> Iterator[Read | Rejected | Unused]:
    """The texts of a file, one a line; blank lines are passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            text, entry = _entry(parse(line))
            answer = entry.get("answer", "accept")
            if answer != "accept":
                yield Unused(file, number, _answer(answer))
                continue
            yield Read(_sentence(text, entry, file, number))
        except Bad as bad:
            yield Rejected(BadLine(file, number, bad.found, bad.expected), line.rstrip("\r\n"))


def parse(line: str) -> object:
    """The JSON on a line. Raises Bad where there is none, or an object has a key twice."""
    try:
        return json.loads(line, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise Bad(
            f"no valid JSON ({error.msg} at position {error.pos + 1})",
            "one JSON object on the line",
        ) from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits, or brackets as deep
        raise Bad(f"JSON that cannot be read ({error})", "one JSON object on the line") from None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Bad(f"the key {quote(twice)} twice in one object", "each key once")
    return entry


def _entry(value: object) -> tuple[str, dict[str, object]]:
    """The text and the object that describes it."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
        text, entry = value
    elif isinstance(value, dict):
        if "text" not in value:
            raise Bad(f'an object without "text" (its keys: {quote(", ".join(value))})', _SHAPE)
        text, entry = value["text"], value
    else:
        raise Bad(f"{kind(value)}, {quote(value)}", _SHAPE)
    if not isinstance(text, str):
        raise Bad(f"{kind(text)} as text, {quote(text)}", "a string")
    refuse_surrogates(text, "the text")
    return text, entry


def refuse_surrogates(text: str, where: str) -> None:
    """JSON can escape half of a surrogate pair, which is no character and cannot be encoded: raises Bad for it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = quote(text[error.start])
        raise Bad(
            f"half of a surrogate pair, {half}, in {where}", "Unicode characters, as in UTF-8"
        ) from None


def _answer(answer: object) -> str:
    if answer not in ("reject", "ignore"):
        raise Bad(f"the answer {quote(answer)}", '"accept", "reject" or "ignore"')
    return str(answer)


def _sentence(text: str, entry: dict[str, object], file: str, number: int) -> Sentence:
    offsets = tuple(tokenize(text))
    if not offsets:
        raise Bad(f"a text without a visible character, {quote(text)}", "a text with at least one")
    return Sentence(
        tokens=tuple(text[start:end] for start, end in offsets),
        spans=_spans(text, offsets, _items(entry)),
        document=_document(entry),
        id=f"{base_name(file)}:{number}",
        offsets=offsets,
        text=text,
        file=file,
        line=number,
    )


def _document(entry: dict[str, object]) -> str:
    document = entry.get("document", "")
    if isinstance(document, bool) or not isinstance(document, (str, int)):
        raise Bad(f"{kind(document)} as document, {quote(document)}", "a string or a whole number")
    refuse_surrogates(str(document), "the document's name")
    return str(document)


def _items(entry: dict[str, object]) -> list[object]:
    """The spans as the line has them, under whichever key."""
    present = [key for key in SPAN_KEYS if key in entry]
    lists = [key for key in present if isinstance(entry[key], list)]
    if len(lists) > 1:
        raise Bad(
            f"spans under both {quote(lists[0])} and {quote(lists[1])}", "spans under one key"
        )
    if lists:
        return entry[lists[0]]
    if present:
        raise Bad(
            f"{kind(entry[present[0]])} under {quote(present[0])}, {quote(entry[present[0]])}",
            f"a list of spans, each {_SPAN_SHAPE}",
        )
    if "answer" in entry:  # Prodigy leaves the spans out of a text that has none
        return []
    raise Bad(
        f"a text without spans (its keys: {quote(', '.join(entry))})",
        f"{_SHAPE}: an empty list, if it has no entities",
    )


def _spans(
    text: str, offsets: tuple[tuple[int, int], ...], items: list[object]
) -> tuple[Span, ...]:
    """The spans in tokens, sorted. Each is checked by itself, then against its neighbour."""
    starts = [start for start, _ in offsets]
    ends = [end for _, end in offsets]
    places = sorted(_place(item) for item in items)
    spans: list[Span] = []
    reached = 0
    for start, end, label in places:
        shown = f"the span {start} to {end}"
        if end <= start:
            raise Bad(
                f"{shown}, which is {'empty' if end == start else 'reversed'}",
                "an end after the start",
            )
        if start < 0 or end > len(text):
            raise Bad(
                f"{shown} in a text of {len(text)} characters",
                f"offsets from 0 to {len(text)}, in Unicode code points",
            )
        shown += f", {quote(text[start:end])},"
        if start < reached:
            raise Bad(f"{shown} which overlaps the one before it", "spans that share no character")
        if is_space(text[start]) or is_space(text[end - 1]):
            raise Bad(
                f"{shown} with white space at its edge",
                "a span that begins and ends with a visible character",
            )
        first, last = bisect_left(starts, start), bisect_left(ends, end)
        if starts[first : first + 1] != [start] or ends[last : last + 1] != [end]:
            cut = _token_cut(text, offsets, start if starts[first : first + 1] != [start] else end)
            raise Bad(
                f"{shown} which cuts the token {quote(cut)}",
                "a span of whole tokens (runs of letters and digits, or single other characters)",
            )
        spans.append(Span(first, last + 1, label))
        reached = end
    return tuple(spans)


def _token_cut(text: str, offsets: tuple[tuple[int, int], ...], border: int) -> str:
    return next(text[start:end] for start, end in offsets if start < border < end)


def _place(item: object) -> tuple[int, int, str]:
    """A span's start, end and label, of the right types."""
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
    elif isinstance(item, dict):
        start, end = (item.get(key, item.get(f"{key}_offset")) for key in ("start", "end"))
        label = item.get("label")
    else:
        raise Bad(f"{kind(item)} as a span, {quote(item)}", _SPAN_SHAPE)
    for name, value in (("start", start), ("end", end)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise Bad(f"{kind(value)} as {name} of a span, {quote(value)}", "a whole number")
    if not isinstance(label, str) or not label or label != label.strip() or not label.isprintable():
        raise Bad(
            f"{kind(label)} as label of a span, {quote(label)}",
            "a printable string, without white space at its edges",
        )
    return start, end, label


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
