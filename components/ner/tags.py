"""Tag schemes: IOB1, IOB2, BIOES and BILOU, and conversion between tags and spans; and the label map of a model.

Tags of all schemes are decoded as CoNLL's conlleval does. An entity begins at B-, S- or U-, and at
any other tag without an open entity of its type. It ends after E-, L-, S- or U-, and before any tag
that does not continue it. So an ill-formed I-X begins an entity, and one rule reads IOB1 and IOB2.
The scheme decides which tags exist and which are ill-formed.

>>> spans_of(("B-PER", "I-PER", "O", "I-LOC"), "IOB2")
(Span(start=0, end=2, type='PER'), Span(start=3, end=4, type='LOC'))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from components.ner.sentence import Span

OUTSIDE = "O"  # its number is 0


# The part of an entity (begin, inside, end, single) for which each prefix of a scheme stands.
_PARTS = {
    "IOB2": {"B": "B", "I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BILOU": {"B": "B", "I": "I", "L": "E", "U": "S"},
}
_ALIASES = {
    "BIO": "IOB2",
    "BIO2": "IOB2",
    "IOB": "IOB1",
    "BIO1": "IOB1",
    "IOBES": "BIOES",
    "BILUO": "BILOU",
    "BMES": "BIOES",
    "BMEWO": "BIOES",
}
SCHEMES = ("IOB1", "IOB2", "BIOES", "BILOU")


def scheme_named(name: str) -> str:
    """The scheme with this name in any case, or an alias: BIO is IOB2, IOBES is BIOES.

    Raises ValueError for an unknown name.
    """
    upper = name.upper()
    scheme = _ALIASES.get(upper, upper)
    if scheme not in _PARTS:
        raise ValueError(f"{name!r} is not a tag scheme; expected one of {', '.join(SCHEMES)}")
    return scheme


def prefixes(scheme: str) -> tuple[str, ...]:
    """The scheme's prefixes, as in ("B", "I")."""
    return tuple(_PARTS[scheme])


@lru_cache(maxsize=65536)
def parse(tag: str, scheme: str) -> tuple[str, str]:
    """Splits a tag into its part (O, B, I, E or S; E and S for BILOU's L and U) and type, "" for O.

    Raises ValueError if the scheme does not have the tag.

    >>> parse("U-creative-work", "BILOU")
    ('S', 'creative-work')
    """
    if tag == "O":
        return "O", ""
    prefix, _, type_ = tag.partition("-")
    part = _PARTS[scheme].get(prefix)
    if part is None or not type_:
        raise ValueError(f"{tag!r} is not a tag of {scheme}")
    return part, type_


def spans_of(tags: Sequence[str], scheme: str = "IOB2") -> tuple[Span, ...]:
    """The entities of a sentence's tags; ill-formed tags are read as described above.

    Raises ValueError for a tag that the scheme does not have.
    """
    spans: list[Span] = []
    start, open_type = 0, ""
    for position, tag in enumerate(tags):
        if tag == "O":
            if open_type:
                spans.append(Span(start, position, open_type))
                open_type = ""
            continue
        part, type_ = parse(tag, scheme)
        if part in "BS" or type_ != open_type:
            if open_type:
                spans.append(Span(start, position, open_type))
            start, open_type = position, type_
        if part in "ES":
            spans.append(Span(start, position + 1, open_type))
            open_type = ""
    if open_type:
        spans.append(Span(start, len(tags), open_type))
    return tuple(spans)


def tags_of(spans: Iterable[Span], length: int, scheme: str = "IOB2") -> tuple[str, ...]:
    """The tags of a sentence with `length` tokens.

    Raises ValueError if the spans are not sorted and disjoint, or do not fit into the sentence.

    >>> tags_of([Span(0, 1, "PER"), Span(1, 3, "PER")], 4, "IOB1")
    ('I-PER', 'B-PER', 'I-PER', 'O')
    """
    tags = ["O"] * length
    previous = Span(0, 0, "")
    end, single = {"BIOES": ("E-", "S-"), "BILOU": ("L-", "U-")}.get(scheme, ("I-", "B-"))
    for span in spans:
        if not previous.end <= span.start < span.end <= length:
            raise ValueError(f"{span} does not fit after {previous} in {length} tokens")
        tags[span.start : span.end] = ["I-" + span.type] * (span.end - span.start)
        if span.end - span.start > 1:
            tags[span.end - 1] = end + span.type
        if scheme != "IOB1":
            tags[span.start] = ("B-" if span.end - span.start > 1 else single) + span.type
        elif previous.end == span.start and previous.type == span.type:
            tags[span.start] = "B-" + span.type
        previous = span
    return tuple(tags)


def ill_formed(tags: Sequence[str], scheme: str) -> tuple[int, ...]:
    """The positions of ill-formed tags, and of tags that the scheme does not have.

    If two neighbours do not fit together, the second is ill-formed if it continues an entity (I-,
    E-); otherwise the first is, because it should have ended its entity.

    >>> ill_formed(("O", "I-PER", "O"), "IOB2"), ill_formed(("B-PER", "O"), "BIOES")
    ((1,), (0,))
    """
    positions = set()
    for position, (left, right) in enumerate(pairwise(("O", *tags, "O")), start=-1):
        side = _misfit(left, right, scheme)
        if side is not None:
            positions.add(position + side)
    return tuple(sorted(positions))


@lru_cache(maxsize=65536)
def _misfit(left: str, right: str, scheme: str) -> int | None:
    """Which of two neighbouring tags is ill-formed: 0 for the left, 1 for the right, else None.

    A tag that the scheme does not have is reported once, as the right one.
    """
    try:
        part, type_ = parse(right, scheme)
    except ValueError:
        return 1
    try:
        left_part, left_type = parse(left, scheme)
    except ValueError:
        left_part, left_type = "O", ""
    continues = left_part in "BI" and left_type == type_
    if scheme == "IOB1":
        return 1 if part == "B" and not continues else None
    if part in "IE":
        return None if continues else 1
    if scheme in ("BIOES", "BILOU") and left_part in "BI":
        return 0
    return None


def scheme_of_pairs(pairs: Mapping[tuple[str, str], int]) -> str:
    """Detects the scheme of a corpus: the one with the fewest ill-formed tags.

    So a few stray I- after O do not make an IOB2 corpus IOB1, nor does one S- make it BIOES. Ties
    go to the first of IOB2, IOB1, BIOES and BILOU.

    Args:
      pairs: how often each pair of neighbouring tags occurs, with an O around every sentence.
    """
    return min(_PARTS, key=lambda scheme: misfits(pairs, scheme))


def misfits(pairs: Mapping[tuple[str, str], int], scheme: str) -> int:
    """The number of pairs of neighbouring tags with an ill-formed tag in a scheme."""
    return sum(
        count for (left, right), count in pairs.items() if _misfit(left, right, scheme) is not None
    )


def label_map(types: Iterable[str]) -> tuple[str, ...]:
    """The label map of a model: `O`, then `B-` and `I-` of each type, types in alphabetical order.

    The types come from the closed domain of tags in the curated schema rather than from the data, so that a type that
    is missing from one span of data does not change the model's shape.

    >>> label_map(["PER", "LOC"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return (OUTSIDE, *(f"{prefix}-{name}" for name in sorted(set(types)) for prefix in "BI"))


def types_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The types of IOB2 tags, without duplicates, in alphabetical order."""
    return tuple(sorted({tag[2:] for tag in tags if tag != OUTSIDE}))


def inside_tag(tag: str) -> str:
    """The tag that continues the entity of `tag`: `I-PER` for `B-PER`, `O` for `O`."""
    return tag if tag == OUTSIDE else f"I-{tag[2:]}"
