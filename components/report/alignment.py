"""Matches of predicted entities with true ones.

`align` puts each entity in exactly one pair, from which the outcomes, the confusion matrix and the
errors follow. Overlapping entities are paired greedily: the pair with the largest Jaccard overlap
first, equal overlaps with the same type before those with different types, then from left to right.
Entities that remain are missed or spurious.

`semeval_matches` counts by the four schemes of SemEval 2013 task 9.1 (Segura-Bedmar, Martínez and
Herrero-Zazo 2013), which pair entities in another way; its counts equal those of nervaluate 1.2.
"""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

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
    Matches,
    Scheme,
)

_Spans = Sequence[Span]
_IsFullMatch = Callable[[Span, Span], bool]
_FULL, _HALF = "full", "half"


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


def _same_span(gold: Span, predicted: Span) -> bool:
    return (gold.start, gold.end) == (predicted.start, predicted.end)


def _same_type(gold: Span, predicted: Span) -> bool:
    return gold.type == predicted.type


_SCHEMES: dict[str, _IsFullMatch] = {
    "strict": operator.eq,
    "exact": _same_span,
    "partial": _same_span,
    "ent_type": _same_type,
}


def semeval_matches(
    sentences: Sequence[tuple[_Spans, _Spans]],
) -> tuple[Matches, dict[str, Matches]]:
    """Counts matches over all types and for each type that occurs, among its entities only.

    Args:
      sentences: the true and the predicted entities of each sentence.

    Returns:
      The matches over all types, and the matches of each type.
    """
    by_type: dict[str, list[tuple[_Spans, _Spans]]] = defaultdict(list)
    for gold, predicted in sentences:
        for type_ in {span.type for span in (*gold, *predicted)}:
            by_type[type_].append(
                (
                    [span for span in gold if span.type == type_],
                    [span for span in predicted if span.type == type_],
                )
            )
    return _matches(sentences), {type_: _matches(by_type[type_]) for type_ in sorted(by_type)}


def _matches(sentences: Sequence[tuple[_Spans, _Spans]]) -> Matches:
    return Matches(
        **{
            name: _scheme(
                Counter(
                    chain.from_iterable(
                        _outcomes(gold, predicted, is_full_match) for gold, predicted in sentences
                    )
                ),
                name == "partial",
            )
            for name, is_full_match in _SCHEMES.items()
        }
    )


def _outcomes(gold: _Spans, predicted: _Spans, is_full_match: _IsFullMatch) -> Iterator[str]:
    """Yields the outcomes of a sentence.

    Predictions are processed in order. Each is matched with an overlapping true entity that no
    earlier prediction used: with a full match if there is one, else with the first.
    """
    remaining = list(gold)
    for guess in predicted:
        overlapping = [true for true in remaining if overlap(true, guess) > 0]
        full = [true for true in overlapping if is_full_match(true, guess)]
        if not overlapping:
            yield SPURIOUS
            continue
        remaining.remove(
            min(full, key=lambda true: _distance(true, guess)) if full else overlapping[0]
        )
        yield _FULL if full else _HALF
    yield from [MISSED] * len(remaining)


def _distance(left: Span, right: Span) -> int:
    return abs(left.start - right.start) + abs(left.end - right.end)


def _scheme(counts: Counter[str], has_partial: bool) -> Scheme:
    """The scores of a scheme; only the scheme `partial` gives half credit for other overlaps."""
    incorrect, partial = (0, counts[_HALF]) if has_partial else (counts[_HALF], 0)
    possible = counts[_FULL] + counts[_HALF] + counts[MISSED]
    actual = counts[_FULL] + counts[_HALF] + counts[SPURIOUS]
    credit = counts[_FULL] + partial / 2
    precision = credit / actual if actual else 0.0
    recall = credit / possible if possible else 0.0
    return Scheme(
        correct=counts[_FULL],
        incorrect=incorrect,
        partial=partial,
        missed=counts[MISSED],
        spurious=counts[SPURIOUS],
        possible=possible,
        actual=actual,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )


NO_MATCHES = _matches(())
"""The matches of a type without entities."""
