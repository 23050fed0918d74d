"""Which found entity stands for which true one, where they are not the same.

Each entity is in one pair. Of the entities that overlap, those are paired first whose overlap is the largest share of what they
cover together (Jaccard), of equals those of one type, then the first in the sentence; what is left over stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from components.ner.sentence import Span

CORRECT, TYPE, BORDERS, BOTH, MISSED, INVENTED = (
    "correct",
    "type",
    "borders",
    "both",
    "missed",
    "invented",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A true entity and the one found for it; one of them may be missing."""

    gold: Optional[Span]
    found: Optional[Span]

    @property
    def kind(self) -> str:
        """`correct`; wrong in its `type`, its `borders` or `both`; `missed` or `invented`.

        >>> Pair(Span(0, 2, "PER"), Span(0, 1, "PER")).kind
        'borders'
        """
        if self.gold is None or self.found is None:
            return INVENTED if self.gold is None else MISSED
        same_type = self.gold.type == self.found.type
        same_borders = (self.gold.start, self.gold.end) == (self.found.start, self.found.end)
        return ((BOTH, BORDERS), (TYPE, CORRECT))[same_borders][same_type]

    @property
    def type(self) -> str:
        """The type under which it counts: the true one, or the found one where there is none."""
        return (self.gold or self.found).type


def align(gold: Sequence[Span], found: Sequence[Span]) -> tuple[Pair, ...]:
    """The pairs of a sentence, in its order."""
    close = sorted(
        (-_jaccard(left, right), left.type != right.type, left, right)
        for left in gold
        for right in found
        if overlap(left, right) > 0
    )
    taken: dict[Span, Span] = {}
    used: set[Span] = set()
    for _, _, left, right in close:
        if left not in taken and right not in used:
            taken[left] = right
            used.add(right)
    pairs = [Pair(span, taken.get(span)) for span in gold] + [
        Pair(None, span) for span in found if span not in used
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.gold or pair.found).start))


def overlap(left: Span, right: Span) -> int:
    """The number of tokens in both; 0 or less where there are none."""
    return min(left.end, right.end) - max(left.start, right.start)


def _jaccard(left: Span, right: Span) -> float:
    both = overlap(left, right)
    return both / (left.end - left.start + right.end - right.start - both)
