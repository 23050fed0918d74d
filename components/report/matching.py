"""Partial matches by the four schemes of SemEval 2013 task 9.1.

Source: Segura-Bedmar, Martínez and Herrero-Zazo 2013; the counts equal those of nervaluate 1.2,
which a test checks. Predictions are processed in order. Each is matched with an overlapping true
entity that no earlier prediction used: with a full match if there is one, else with the first. The
schemes differ in what counts as a full match. For a single type, only its entities are considered.
"""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from components.ner.sentence import Span
from components.report.alignment import overlap
from components.report.figures import Matches, Scheme

_Spans = Sequence[Span]
_IsFullMatch = Callable[[Span, Span], bool]
_FULL, _HALF, _MISSED, _SPURIOUS = "full", "half", "missed", "spurious"


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
    sentences: Iterable[tuple[_Spans, _Spans]],
) -> tuple[Matches, dict[str, Matches]]:
    """Counts matches over all types and for each type that occurs.

    Args:
      sentences: the true and the predicted entities of each sentence.

    Returns:
      The matches over all types, and the matches of each type.
    """
    overall = _no_counts()
    by_type: dict[str, dict[str, Counter[str]]] = defaultdict(_no_counts)
    for gold, predicted in sentences:
        _count(overall, gold, predicted)
        for type_ in {span.type for span in (*gold, *predicted)}:
            _count(
                by_type[type_],
                [span for span in gold if span.type == type_],
                [span for span in predicted if span.type == type_],
            )
    return _matches(overall), {type_: _matches(by_type[type_]) for type_ in sorted(by_type)}


def _no_counts() -> dict[str, Counter[str]]:
    return {scheme: Counter() for scheme in _SCHEMES}


def _count(counts: dict[str, Counter[str]], gold: _Spans, predicted: _Spans) -> None:
    for scheme, is_full_match in _SCHEMES.items():
        counts[scheme].update(_outcomes(gold, predicted, is_full_match))


def _matches(counts: dict[str, Counter[str]]) -> Matches:
    return Matches(**{name: _scheme(counts[name], name == "partial") for name in _SCHEMES})


def _outcomes(gold: _Spans, predicted: _Spans, is_full_match: _IsFullMatch) -> Iterator[str]:
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


NO_MATCHES = _matches(_no_counts())
"""The matches of a type without entities."""
