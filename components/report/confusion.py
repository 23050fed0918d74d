"""The confusion matrix between types, no entity (O) among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from components.report.alignment import Pair
from components.report.figures import OUTSIDE, Confusion


def confusion(pairs: Iterable[Pair], types: Sequence[str]) -> Confusion:
    """The matrix of all pairs; `types` has every type that occurs."""
    counts = Counter((_type(pair.gold), _type(pair.found)) for pair in pairs)
    labels = (*types, OUTSIDE)
    return Confusion(
        labels, tuple(tuple(counts[gold, found] for found in labels) for gold in labels)
    )


def _type(span) -> str:
    return span.type if span else OUTSIDE
