"""Entities in a text, and entities as spans of tokens."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.ner.sentence import Span


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity in a text. Offsets count Unicode code points."""

    text: str  # its part of the text, from `start` to `end`
    type: str  # such as "PER"
    start: int  # offset of its first character
    end: int  # offset after its last character
    score: float  # its probability


def with_minimum_score(entities: Iterable[Entity], minimum_score: float) -> tuple[Entity, ...]:
    """Returns the entities whose score is at least `minimum_score`, in order."""
    return tuple(entity for entity in entities if entity.score >= minimum_score)


def token_spans(entities: Iterable[Entity], offsets: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """Entities of a text as spans of tokens: each covers the tokens that it overlaps.

    Where two entities overlap the same token, which happens where the model splits it, the later
    one is shortened, as if the token took the tag of its first part.

    Args:
      entities: the entities, in the order of the text.
      offsets: start and end of each token in the text.

    Returns:
      The spans, in order.

    >>> token_spans([Entity("U", "LOC", 0, 1, 0.9)], [(0, 4), (5, 7)])
    (Span(start=0, end=1, type='LOC'),)
    """
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    spans: list[Span] = []
    for entity in entities:
        first, stop = bisect_right(ends, entity.start), bisect_left(starts, entity.end)
        first = max([first, *(span.end for span in spans[-1:])])
        if first < stop:
            spans.append(Span(first, stop, entity.type))
    return tuple(spans)
