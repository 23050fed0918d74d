"""From spans of characters to spans of tokens: units of offsets, white space at edges, overlaps, spans inside tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

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
MERGED = "spans that are in the text twice, merged"
EXPANDED = "spans that cut tokens, expanded to whole tokens"
UNALIGNED = "spans that cut tokens, left out"
OVERLAPPING = "spans that overlap a longer one, left out"


def to_token_spans(
    text: str,
    spans: Sequence[CharSpan],
    options: ReadOptions,
    counts: Counter[str],
    granularity: Granularity = WORDS,
) -> tuple[Offsets, tuple[Span, ...]]:
    """The tokens of a text, and its spans in tokens, sorted and disjoint.

    Args:
      text: the text.
      spans: its spans in characters.
      options: says the unit of offsets, and what to do about spans that overlap or cut tokens.
      counts: counts the spans that are trimmed, merged, expanded or left out.
      granularity: how fine the tokens are.

    Raises:
      InvalidRecord: a span that is not in the text, or that the options refuse.
    """
    offsets = tuple(tokenize(text, granularity))
    if not offsets:
        raise InvalidRecord(
            f"a text without a visible character, {quote(text)}", "a text with at least one"
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
                    "a span of whole tokens (runs of letters and digits, or single other characters)",
                    remedy=_cut_remedy(text, border, granularity),
                )
            counts[EXPANDED if options.unaligned_spans == "expand" else UNALIGNED] += 1
            if options.unaligned_spans == "drop":
                continue
        aligned.append((Span(first, last + 1, label), (start, end)))
    return offsets, _disjoint(text, aligned, options, counts)


def _cut_remedy(text: str, border: int, granularity: Granularity) -> str:
    """The settings that read a span which begins or ends at `border`, inside a token."""
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
    """The code point at each offset of another unit; None where all are the same."""
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
    """The span without white space at its edges. Raises InvalidRecord where it is not a span of the text."""
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
            f"{_shown(text, start, end)} beside the text {quote(surface)}",
            "offsets, in Unicode code points, of that text",
        )
    if not is_space(text[start]) and not is_space(text[end - 1]):
        return start, end, label
    wide = start, end
    while start < end and is_space(text[start]):
        start += 1
    while end > start and is_space(text[end - 1]):
        end -= 1
    if start == end:
        raise InvalidRecord(
            f"{_shown(text, *wide)} which is white space", "a span with a visible character"
        )
    counts[TRIMMED] += 1
    return start, end, label


def _disjoint(
    text: str,
    aligned: list[tuple[Span, tuple[int, int]]],
    options: ReadOptions,
    counts: Counter[str],
) -> tuple[Span, ...]:
    """Returns spans that share no token.

    Of overlapping spans, the longest is kept. Raises InvalidRecord if the options refuse overlaps.
    """
    reached = 0
    for span, place in aligned:
        if span.start < reached and options.overlapping_spans == "refuse":
            if options.unaligned_spans == "expand":
                break
            raise InvalidRecord(
                f"{_shown(text, *place)} which overlaps the one before it",
                "spans that share no character",
                remedy="Keep the longest with --set overlapping_spans=longest",
            )
        if span.start < reached:
            break
        reached = span.end
    else:
        return tuple(span for span, _ in aligned)
    kept: list[Span] = []
    for span, _ in sorted(aligned, key=lambda item: item[0].start - item[0].end):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    counts[OVERLAPPING] += len(aligned) - len(kept)
    return tuple(sorted(kept))


def _shown(text: str, start: int, end: int) -> str:
    return f"the span {start} to {end}, {quote(text[start:end])},"


class OffsetEvidence:
    """Counts, over the texts of a file, in which units of offsets all spans are whole tokens.

    Args:
      granularity: how fine the tokens are.
    """

    def __init__(self, granularity: Granularity = WORDS) -> None:
        self._granularity = granularity
        self.texts = self.spans = 0
        self.misfits: Counter[str] = Counter()  # texts with a span that does not fit, by unit
        self.ambiguous = (
            0  # texts whose spans fit in code points and in UTF-16 units, at other places
        )

    def add(self, record: TextRecord) -> None:
        """Counts a text."""
        if not record.spans:
            return
        self.texts += 1
        self.spans += len(record.spans)
        tokens = tuple(tokenize(record.text, self._granularity))
        edges = {start for start, _ in tokens}, {end for _, end in tokens}
        fits = {}
        for unit in OFFSET_UNITS:
            spans = convert_offsets(record.text, record.spans, unit)
            fits[unit] = all(_fits(record.text, span, *edges) for span in spans)
            self.misfits[unit] += not fits[unit]
            if unit == "utf16" and spans != record.spans and fits[unit] and fits[CODE_POINTS]:
                self.ambiguous += 1

    @property
    def likely_unit(self) -> str | None:
        """The unit other than code points in which all spans fit, or None."""
        if not self.misfits[CODE_POINTS]:
            return None
        return next((unit for unit in OFFSET_UNITS if not self.misfits[unit]), None)


def fits_utf16(record: TextRecord, offsets: Offsets) -> bool | None:
    """Whether the spans of a text fit its tokens as UTF-16 units too, at other places; None where both are the same."""
    spans = convert_offsets(record.text, record.spans, "utf16")
    if spans == record.spans:
        return None
    if any(span.surface for span in record.spans):
        return False
    starts, ends = {start for start, _ in offsets}, {end for _, end in offsets}
    return all(_fits(record.text, span, starts, ends) for span in spans)


def likely_offsets(records: Iterable[object], granularity: Granularity = WORDS) -> OffsetEvidence:
    """What the texts of a file say about the unit of its offsets.

    Args:
      records: the records of the file.
      granularity: how fine the tokens are.
    """
    evidence = OffsetEvidence(granularity)
    for record in records:
        if isinstance(record, TextRecord):
            evidence.add(record)
    return evidence


def _fits(text: str, span: CharSpan, starts: set[int], ends: set[int]) -> bool:
    start, end, _, surface = span
    if surface:
        return text[start:end] == surface
    return 0 <= start < end and start in starts and end in ends
