"""Converts spans of characters to spans of tokens: units of offsets, white space at edges, overlaps, spans inside tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from components.corpus.model_tokens import remedies_at
from components.corpus.options import ReadOptions
from components.corpus.records import CharSpan, InvalidRecord, TextRecord, quote
from components.ner.granularity import FINE_NAME, WORDS, Granularity, parse_granularity
from components.ner.sentence import Span
from components.ner.tokens import is_space, tokenize

Offsets = tuple[tuple[int, int], ...]

CODE_POINTS = "code-points"
OFFSET_UNITS = {
    CODE_POINTS: "Unicode code points, end excluded",
    "utf16": "UTF-16 units, as JavaScript and Java count",
    "utf8": "bytes of UTF-8",
    "inclusive-end": "the end included",
    "from-1": "the first character as 1",
    "crlf-as-1": "a line end of CR LF as one character",
}

_CUT_REMEDY = "Expand such spans to whole tokens with --set unaligned_spans=expand, drop them with unaligned_spans=drop"
TRIMMED = "spans with white space at an edge, trimmed"
MERGED = "duplicate spans, merged"
EXPANDED = "spans that cut tokens, expanded to whole tokens"
UNALIGNED = "spans that cut tokens, left out"
OVERLAPPING = "spans that overlap a longer span, left out"


def to_token_spans(
    text: str,
    spans: Sequence[CharSpan],
    options: ReadOptions,
    counts: Counter[str],
    granularity: Granularity = WORDS,
) -> tuple[Offsets, tuple[Span, ...]]:
    """The offsets of a text's tokens, and its spans as spans of tokens, sorted and disjoint.

    Args:
      text: the text.
      spans: its spans of characters.
      options: the unit of offsets, and what to do about spans that overlap or cut tokens.
      counts: counts the spans that are trimmed, merged, expanded or left out.
      granularity: how fine the tokens are.

    Raises:
      InvalidRecord: a span is not in the text, or the options refuse it.
    """
    offsets = tuple(tokenize(text, granularity))
    if not offsets:
        raise InvalidRecord(
            f"a text without a visible character, {quote(text)}",
            "a text with at least one visible character",
        )
    if not spans:
        return offsets, ()
    converted = convert_offsets(text, spans, options.offsets or CODE_POINTS)
    distinct = sorted({_trimmed(text, span, counts) for span in converted})
    if len(distinct) < len(spans):
        counts[MERGED] += len(spans) - len(distinct)
    starts = [start for start, _ in offsets]
    ends = [end for _, end in offsets]
    aligned = []
    for start, end, label in distinct:
        first, last = bisect_right(starts, start) - 1, bisect_left(ends, end)
        if starts[first] != start or ends[last] != end:
            if options.unaligned_spans == "refuse":
                border = start if starts[first] != start else end
                cut = next(text[left:right] for left, right in offsets if left < border < right)
                raise InvalidRecord(
                    f"{_shown(text, start, end)} which cuts the token {quote(cut)}",
                    "a span of whole tokens (a token is a run of letters and digits, or any other single character)",
                    remedy=_cut_remedy(text, border, granularity),
                )
            counts[EXPANDED if options.unaligned_spans == "expand" else UNALIGNED] += 1
            if options.unaligned_spans == "drop":
                continue
        aligned.append((Span(first, last + 1, label), (start, end)))
    return offsets, _disjoint(text, aligned, options, counts)


def _cut_remedy(text: str, border: int, granularity: Granularity) -> str:
    """The settings that read a span whose edge `border` is inside a token."""
    finer = remedies_at(text, border)
    if finer:
        name = FINE_NAME if FINE_NAME in finer else min(finer)
        if granularity != WORDS:
            name = str(parse_granularity(f"{granularity},{name}"))
        return f"{_CUT_REMEDY}, split such tokens with tokenizer={name}"
    if granularity != WORDS:
        # With these settings tokenizer=auto would choose words.
        return f"{_CUT_REMEDY}, together with tokenizer={granularity}"
    return _CUT_REMEDY


def convert_offsets(text: str, spans: Sequence[CharSpan], unit: str) -> Sequence[CharSpan]:
    """The spans with offsets in code points, end excluded."""
    if unit == CODE_POINTS:
        return spans
    if unit == "inclusive-end":
        return [span._replace(end=span.end + 1) for span in spans]
    if unit == "from-1":
        return [span._replace(start=span.start - 1, end=span.end - 1) for span in spans]
    position = _positions(text, unit)
    if position is None:
        return spans
    # An offset inside a character has no position: -1 makes it an error.
    return [
        span._replace(start=position.get(span.start, -1), end=position.get(span.end, -1))
        for span in spans
    ]


def _positions(text: str, unit: str) -> dict[int, int] | None:
    """The code point at each offset of another unit; None if the offsets are the same in code points."""
    if unit == "utf16":
        if text.isascii() or max(text) < "\U00010000":
            return None
        widths = [2 if character > "\uffff" else 1 for character in text]
    elif unit == "utf8":
        if text.isascii():
            return None
        widths = [len(character.encode()) for character in text]
    else:
        if "\r\n" not in text:
            return None
        widths = [0 if text.startswith("\r\n", index) else 1 for index in range(len(text))]
    positions, offset = {}, 0
    for index, width in enumerate(widths):
        positions.setdefault(offset, index)
        offset += width
    positions[offset] = len(text)
    return positions


def _trimmed(text: str, span: CharSpan, counts: Counter[str]) -> tuple[int, int, str]:
    """The span without white space at its edges. Raises InvalidRecord if it is not a span of the text."""
    start, end, label, surface = span
    if end <= start:
        raise InvalidRecord(
            f"the span {start} to {end}, which is {'empty' if end == start else 'reversed'}",
            "an end after the start",
        )
    if start < 0 or end > len(text):
        raise InvalidRecord(
            f"the span {start} to {end} in a text of {len(text)} characters",
            f"offsets from 0 to {len(text)}, in Unicode code points",
        )
    if surface and text[start:end] != surface and text[start:end].split() != surface.split():
        raise InvalidRecord(
            f"{_shown(text, start, end)} whose text in the file is {quote(surface)}",
            "the offsets of this text in Unicode code points",
        )
    if not is_space(text[start]) and not is_space(text[end - 1]):
        return start, end, label
    inside = [position for position in range(start, end) if not is_space(text[position])]
    if not inside:
        raise InvalidRecord(
            f"{_shown(text, start, end)} which is white space", "a span with a visible character"
        )
    counts[TRIMMED] += 1
    return inside[0], inside[-1] + 1, label


def longest_disjoint(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Drops each span that overlaps a longer one, and sorts the rest.

    >>> longest_disjoint([Span(0, 3, "ORG"), Span(1, 2, "LOC")])
    (Span(start=0, end=3, type='ORG'),)
    """
    ordered = sorted(set(spans))
    if all(left.end <= right.start for left, right in pairwise(ordered)):
        return tuple(ordered)
    disjoint: list[Span] = []
    for span in sorted(ordered, key=lambda span: span.start - span.end):
        if all(span.end <= other.start or other.end <= span.start for other in disjoint):
            disjoint.append(span)
    return tuple(sorted(disjoint))


def _disjoint(
    text: str,
    aligned: list[tuple[Span, tuple[int, int]]],
    options: ReadOptions,
    counts: Counter[str],
) -> tuple[Span, ...]:
    """The longest spans that share no token. Raises InvalidRecord if the options refuse overlaps.

    Args:
      text: the text.
      aligned: each span in tokens with its start and end in characters, sorted by these.
      options: what to do about overlaps.
      counts: counts the spans that are left out.
    """
    disjoint = longest_disjoint(span for span, _ in aligned)
    if len(disjoint) == len(aligned):
        return disjoint
    if options.overlapping_spans == "refuse" and options.unaligned_spans != "expand":
        edges = next(
            edges for (left, _), (right, edges) in pairwise(aligned) if right.start < left.end
        )
        raise InvalidRecord(
            f"{_shown(text, *edges)} which overlaps the span before it",
            "spans that share no character",
            remedy="Keep the longest span with --set overlapping_spans=longest",
        )
    counts[OVERLAPPING] += len(aligned) - len(disjoint)
    return disjoint


def _shown(text: str, start: int, end: int) -> str:
    return f"the span {start} to {end}, {quote(text[start:end])},"


class OffsetEvidence(NamedTuple):
    """How the offsets of a file fit its texts."""

    texts: int
    """Texts with spans."""
    misfits: int
    """Texts whose spans are not whole tokens if offsets count code points."""
    other_unit: str | None
    """The unit in which all spans of the file are whole tokens, None without misfits or without such a unit."""


def offset_evidence(records: Iterable[object], granularity: Granularity = WORDS) -> OffsetEvidence:
    """Compares the offsets of all texts among the records of a file with their tokens, in each unit."""
    texts = 0
    misfits: Counter[str] = Counter()
    for record in records:
        if isinstance(record, TextRecord) and record.spans:
            texts += 1
            offsets = tokenize(record.text, granularity)
            misfits.update(unit for unit in OFFSET_UNITS if not _fits(record, offsets, unit))
    units = [unit for unit in OFFSET_UNITS if not misfits[unit]] if misfits[CODE_POINTS] else []
    return OffsetEvidence(texts, misfits[CODE_POINTS], units[0] if units else None)


def fits_utf16(record: TextRecord, offsets: Offsets) -> bool | None:
    """Whether the spans of a text are whole tokens as UTF-16 units too; None if they are the same spans in both units."""
    if convert_offsets(record.text, record.spans, "utf16") == record.spans:
        return None
    return not any(span.surface for span in record.spans) and _fits(record, offsets, "utf16")


def _fits(record: TextRecord, offsets: Sequence[tuple[int, int]], unit: str) -> bool:
    """Whether all spans of a text are whole tokens, or the text that the file gives for them, in a unit of offsets."""
    starts, ends = {start for start, _ in offsets}, {end for _, end in offsets}
    return all(
        record.text[start:end] == surface
        if surface
        else 0 <= start < end and start in starts and end in ends
        for start, end, _, surface in convert_offsets(record.text, record.spans, unit)
    )
