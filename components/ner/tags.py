"""Tag schemes: IOB1, IOB2, BIOES and BILOU, between tags and spans.

Tags are decoded as CoNLL's conlleval does, in every scheme alike: an entity opens at B-, S- or U-, and at any other tag
that has no open entity of its type before it; it closes after E-, L-, S- or U-, and before anything that does not go on
with it. So an ill-formed I-X opens an entity, and one rule reads IOB1 and IOB2. The scheme says which tags there may
be, and which are ill-formed.

>>> spans_of(("B-PER", "I-PER", "O", "I-LOC"), "IOB2")
(Span(start=0, end=2, type='PER'), Span(start=3, end=4, type='LOC'))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from components.ner.sentence import Span

# The prefixes of each scheme, by their part: begin, inside, end, single. Where a scheme has no end, an entity may stop
# after any tag.
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
    """The scheme of that name, in any case and under its other names (BIO is IOB2, IOBES is BIOES).

    Raises ValueError if there is none.
    """
    upper = name.upper()
    scheme = _ALIASES.get(upper, upper)
    if scheme not in _PARTS:
        raise ValueError(f"{name!r} is no tag scheme; the schemes are {', '.join(SCHEMES)}")
    return scheme


def prefixes(scheme: str) -> tuple[str, ...]:
    """The scheme's prefixes, as in ("B", "I")."""
    return tuple(_PARTS[scheme])


@lru_cache(maxsize=65536)
def parse(tag: str, scheme: str) -> tuple[str, str]:
    """The tag's part (O, B, I, E or S; BILOU's L and U are E and S) and its type, "" for O. Raises ValueError if the
    scheme has no such tag.

    >>> parse("U-creative-work", "BILOU")
    ('S', 'creative-work')
    """
    if tag == "O":
        return "O", ""
    prefix, _, type_ = tag.partition("-")
    part = _PARTS[scheme].get(prefix)
    if part is None or not type_:
        raise ValueError(f"{tag!r} is no tag of {scheme}")
    return part, type_


def spans_of(tags: Sequence[str], scheme: str = "IOB2") -> tuple[Span, ...]:
    """The entities in a sentence's tags, ill-formed sequences mended as described above.

    Raises ValueError on a tag the scheme does not have.
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
    """The tags of a sentence of `length` tokens. `spans` are sorted and disjoint, or ValueError is raised.

    >>> tags_of([Span(0, 1, "PER"), Span(1, 3, "PER")], 4, "IOB1")
    ('I-PER', 'B-PER', 'I-PER', 'O')
    """
    tags = ["O"] * length
    before = Span(0, 0, "")
    end, single = {"BIOES": ("E-", "S-"), "BILOU": ("L-", "U-")}.get(scheme, ("I-", "B-"))
    for span in spans:
        if not before.end <= span.start < span.end <= length:
            raise ValueError(f"{span} does not fit after {before} in {length} tokens")
        tags[span.start : span.end] = ["I-" + span.type] * (span.end - span.start)
        if span.end - span.start > 1:
            tags[span.end - 1] = end + span.type
        if scheme != "IOB1":
            tags[span.start] = ("B-" if span.end - span.start > 1 else single) + span.type
        elif before.end == span.start and before.type == span.type:
            tags[span.start] = "B-" + span.type
        before = span
    return tuple(tags)


def ill_formed(tags: Sequence[str], scheme: str) -> tuple[int, ...]:
    """The positions of tags that cannot stand where they do, or that the scheme does not have.

    Of two neighbours that do not fit, the second is named if it goes on with an entity (I-, E-), else the first, which
    was not ended.

    >>> ill_formed(("O", "I-PER", "O"), "IOB2"), ill_formed(("B-PER", "O"), "BIOES"), ill_formed(("O", "B-PER"), "IOB1")
    ((1,), (0,), (1,))
    """
    found = set()
    for position, (left, right) in enumerate(pairwise(("O", *tags, "O")), start=-1):
        blamed = _misfit(left, right, scheme)
        if blamed is not None:
            found.add(position + blamed)
    return tuple(sorted(found))


@lru_cache(maxsize=65536)
def _misfit(left: str, right: str, scheme: str) -> int | None:
    """Which of two neighbouring tags is ill-formed: 0 the left, 1 the right, None neither.

    A tag the scheme lacks is the right one's fault, once.
    """
    try:
        part, type_ = parse(right, scheme)
    except ValueError:
        return 1
    try:
        left_part, left_type = parse(left, scheme)
    except ValueError:
        left_part, left_type = "O", ""
    goes_on = left_part in "BI" and left_type == type_
    if scheme == "IOB1":
        return 1 if part == "B" and not goes_on else None
    if part in "IE":
        return None if goes_on else 1
    if scheme in ("BIOES", "BILOU") and left_part in "BI":
        return 0
    return None


def detect_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """The scheme of a corpus's tags: the one in which the fewest are ill-formed.

    So a few stray I- after O do not make an IOB2 corpus IOB1, nor does one S- make it BIOES. Ties go to the first of
    IOB2, IOB1, BIOES, BILOU.
    """
    return scheme_of_pairs(tag_pairs(sentences))


def tag_pairs(sentences: Iterable[Sequence[str]]) -> Counter[tuple[str, str]]:
    """How often each tag follows each other one, with an O around every sentence: all that `scheme_of_pairs` needs to
    know of a corpus.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for tags in sentences:
        pairs.update(pairwise(("O", *tags, "O")))
    return pairs


def scheme_of_pairs(pairs: Mapping[tuple[str, str], int]) -> str:
    """As `detect_scheme`, from the counts of neighbouring tags."""
    return min(_PARTS, key=lambda scheme: misfits(pairs, scheme))  # min takes the first of equals


def misfits(pairs: Mapping[tuple[str, str], int], scheme: str) -> int:
    """The number of neighbouring tags of which one is ill-formed in the scheme."""
    return sum(
        count for (left, right), count in pairs.items() if _misfit(left, right, scheme) is not None
    )
