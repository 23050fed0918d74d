"""Alignment of predicted entities with true ones, and the confusion matrix that follows.

Each entity is in exactly one pair. Overlapping entities are paired greedily: the pair with the
largest Jaccard overlap first, equal overlaps with the same type before those with different types,
then from left to right. Entities that remain are missed or spurious.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from components.ner.sentence import Sentence, Span
from components.report.figures import (
    BOUNDARY,
    BOUNDARY_AND_TYPE,
    CORRECT,
    MISSED,
    OUTSIDE,
    SPURIOUS,
    WRONG_TYPE,
    Confusion,
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A labelled sentence with the entities that a model predicted in it."""

    sentence: Sentence
    spans: tuple[Span, ...]  # predicted entities
    scores: tuple[float, ...]  # probability of each predicted entity

    @property
    def gold_and_predicted(self) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        return self.sentence.spans, self.spans

    def judged(self) -> Iterator[tuple[Span, float, bool]]:
        """Yields each predicted entity with its score and whether it is correct."""
        gold = set(self.sentence.spans)
        return ((span, score, span in gold) for span, score in zip(self.spans, self.scores))


@dataclass(frozen=True, slots=True)
class Pair:
    """A true entity and the prediction for it; one of the two may be missing."""

    gold: Span | None
    predicted: Span | None

    @property
    def kind(self) -> str:
        """The kind of match, one of the constants of `components.report.figures`.

        >>> Pair(Span(0, 2, "PER"), Span(0, 1, "PER")).kind
        'boundary'
        """
        if self.gold is None:
            return SPURIOUS
        if self.predicted is None:
            return MISSED
        same_type = self.gold.type == self.predicted.type
        if (self.gold.start, self.gold.end) == (self.predicted.start, self.predicted.end):
            return CORRECT if same_type else WRONG_TYPE
        return BOUNDARY if same_type else BOUNDARY_AND_TYPE

    @property
    def spans(self) -> tuple[Span, ...]:
        """The true and the predicted entity, as far as they exist."""
        return tuple(span for span in (self.gold, self.predicted) if span)

    @property
    def type(self) -> str:
        """The true type; without a true entity, the predicted type."""
        return self.spans[0].type


def align(gold: Sequence[Span], predicted: Sequence[Span]) -> tuple[Pair, ...]:
    """Pairs the true and the predicted entities of a sentence, ordered by position."""
    candidates = sorted(
        (-_jaccard(true, guess), true.type != guess.type, true, guess)
        for true in gold
        for guess in predicted
        if overlap(true, guess) > 0
    )
    partner: dict[Span, Span] = {}
    used: set[Span] = set()
    for _, _, true, guess in candidates:
        if true not in partner and guess not in used:
            partner[true] = guess
            used.add(guess)
    pairs = [Pair(true, partner.get(true)) for true in gold]
    pairs += [Pair(None, guess) for guess in predicted if guess not in used]
    return tuple(sorted(pairs, key=lambda pair: pair.spans[0].start))


def overlap(left: Span, right: Span) -> int:
    """The number of common tokens; 0 or negative if there are none."""
    return min(left.end, right.end) - max(left.start, right.start)


def confusion(pairs: Iterable[Pair], types: Sequence[str]) -> Confusion:
    """The confusion matrix of all pairs; `types` holds every type that occurs."""
    counts = Counter((_label(pair.gold), _label(pair.predicted)) for pair in pairs)
    labels = (*types, OUTSIDE)
    return Confusion(
        labels, tuple(tuple(counts[gold, predicted] for predicted in labels) for gold in labels)
    )


def _label(span: Span | None) -> str:
    return span.type if span else OUTSIDE


def _jaccard(left: Span, right: Span) -> float:
    common = overlap(left, right)
    return common / (left.end - left.start + right.end - right.start - common)
