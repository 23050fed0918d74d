"""Partial matches by the four schemes of SemEval 2013 task 9.1.

Source: Segura-Bedmar, Martínez and Herrero-Zazo 2013; the counts equal those of nervaluate 1.2,
which a test checks. Predictions are processed in order. Each is matched with an overlapping true
entity that no earlier prediction used: with a full match if there is one, else with the first. The
schemes differ in what counts as a full match. For a single type, only its entities are considered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from components.ner.sentence import Span
from components.report.alignment import overlap
from components.report.figures import Matches, Scheme

_Spans = Sequence[Span]
_FULL, _HALF, _MISSED, _SPURIOUS = "full", "half", "missed", "spurious"


def _same_span(gold: Span, predicted: Span) -> bool:
    return (gold.start, gold.end) == (predicted.start, predicted.end)


def _same_type(gold: Span, predicted: Span) -> bool:
    return gold.type == predicted.type


def _same(gold: Span, predicted: Span) -> bool:
    return gold == predicted


_FULL_MATCH: dict[str, Callable[[Span, Span], bool]] = {
    "strict": _same,
    "exact": _same_span,
    "partial": _same_span,
    "ent_type": _same_type,
}


def semeval_matches(
    sentences: Iterable[tuple[_Spans, _Spans]],
) -> tuple[Matches, dict[str, Matches]]:
    """Counts matches over all types and for each type that occurs.

    Args:
      sentences: the true and the predicted entities of each sentence.

    Returns:
      The matches over all types, and the matches of each type.
    """
    overall = _Counts()
    by_type: dict[str, _Counts] = {}
    for gold, predicted in sentences:
        overall.add(gold, predicted)
        for type_ in {span.type for span in (*gold, *predicted)}:
            by_type.setdefault(type_, _Counts()).add(
                [span for span in gold if span.type == type_],
                [span for span in predicted if span.type == type_],
            )
    return overall.matches(), {type_: by_type[type_].matches() for type_ in sorted(by_type)}


NO_MATCHES = Matches(**{name: Scheme(*[0] * 7, *[0.0] * 3) for name in _FULL_MATCH})
"""The matches of a type without entities."""


class _Counts:
    """Outcomes of the true and predicted entities, counted for each scheme."""

    def __init__(self) -> None:
        self._by_scheme: dict[str, Counter[str]] = {name: Counter() for name in _FULL_MATCH}

    def add(self, gold: _Spans, predicted: _Spans) -> None:
        for name, is_full_match in _FULL_MATCH.items():
            self._by_scheme[name].update(_outcomes(gold, predicted, is_full_match))

    def matches(self) -> Matches:
        return Matches(
            **{
                name: _scheme(counts, has_partial=name == "partial")
                for name, counts in self._by_scheme.items()
            }
        )


def _outcomes(
    gold: _Spans, predicted: _Spans, is_full_match: Callable[[Span, Span], bool]
) -> Iterator[str]:
    remaining = list(gold)
    for guess in predicted:
        overlapping = [true for true in remaining if overlap(true, guess) > 0]
        full = [true for true in overlapping if is_full_match(true, guess)]
        if not overlapping:
            yield _SPURIOUS
            continue
        remaining.remove(
            min(full, key=lambda true: _distance(true, guess)) if full else overlapping[0]
        )
        yield _FULL if full else _HALF
    yield from [_MISSED] * len(remaining)


def _distance(left: Span, right: Span) -> int:
    return abs(left.start - right.start) + abs(left.end - right.end)


def _scheme(counts: Counter[str], has_partial: bool) -> Scheme:
    """The scores of a scheme; only the scheme `partial` gives half credit for other overlaps."""
    incorrect, partial = (0, counts[_HALF]) if has_partial else (counts[_HALF], 0)
    possible = counts[_FULL] + counts[_HALF] + counts[_MISSED]
    actual = counts[_FULL] + counts[_HALF] + counts[_SPURIOUS]
    credit = counts[_FULL] + partial / 2
    precision = credit / actual if actual else 0.0
    recall = credit / possible if possible else 0.0
    return Scheme(
        correct=counts[_FULL],
        incorrect=incorrect,
        partial=partial,
        missed=counts[_MISSED],
        spurious=counts[_SPURIOUS],
        possible=possible,
        actual=actual,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )
