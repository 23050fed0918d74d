"""Partial matches: the four ways of SemEval 2013, task 9.1 (Segura-Bedmar, Martínez and Herrero-Zazo 2013), counted as
nervaluate 1.2 counts them and held equal to it in a test.

Found entities are taken in order. Each is matched with a true entity that it overlaps and that no earlier one took: a fully
matching one, else the first; which match is full is what the ways differ in. For a single type, only entities of that type are
looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

from components.ner.sentence import Span
from components.report.alignment import overlap
from components.report.figures import Matches, Scheme

_Spans = Sequence[Span]
_FULL, _HALF, _MISSED, _SPURIOUS = "full", "half", "missed", "spurious"


def _same_span(gold: Span, found: Span) -> bool:
    return (gold.start, gold.end) == (found.start, found.end)


def _same_type(gold: Span, found: Span) -> bool:
    return gold.type == found.type


def _same(gold: Span, found: Span) -> bool:
    return gold == found


_FULL_MATCH: dict[str, Callable[[Span, Span], bool]] = {
    "strict": _same,
    "exact": _same_span,
    "partial": _same_span,
    "ent_type": _same_type,
}


def matches(sentences: Iterable[tuple[_Spans, _Spans]]) -> tuple[Matches, dict[str, Matches]]:
    """The matches over all types, and of each type that occurs, of sentences given as true and found entities."""
    overall = {way: Counter() for way in _FULL_MATCH}
    by_type: dict[str, dict[str, Counter]] = {}
    for gold, found in sentences:
        _add(overall, gold, found)
        for type_ in {span.type for span in (*gold, *found)}:
            counts = by_type.setdefault(type_, {way: Counter() for way in _FULL_MATCH})
            _add(
                counts, *([span for span in spans if span.type == type_] for spans in (gold, found))
            )
    return _matches(overall), {type_: _matches(counts) for type_, counts in sorted(by_type.items())}


def none() -> Matches:
    """The matches where there are no entities."""
    return matches(())[0]


def _add(counts: dict[str, Counter], gold: _Spans, found: _Spans) -> None:
    for way, full in _FULL_MATCH.items():
        counts[way].update(_match(gold, found, full))


def _match(gold: _Spans, found: _Spans, full: Callable[[Span, Span], bool]) -> Iterable[str]:
    left = list(gold)
    for span in found:
        close = [one for one in left if overlap(one, span) > 0]
        whole = [one for one in close if full(one, span)]
        if close:
            left.remove(min(whole, key=lambda one: _distance(one, span)) if whole else close[0])
        yield (_FULL if whole else _HALF) if close else _SPURIOUS
    yield from [_MISSED] * len(left)


def _distance(left: Span, right: Span) -> int:
    return abs(left.start - right.start) + abs(left.end - right.end)


def _matches(counts: dict[str, Counter]) -> Matches:
    return Matches(
        **{
            field.name: _scheme(counts[field.name], field.name == "partial")
            for field in fields(Matches)
        }
    )


def _scheme(counts: Counter, halves: bool) -> Scheme:
    """The scheme of counts; where `halves`, a match that is not full is partial and counts half, else it is incorrect."""
    incorrect, partial = (0, counts[_HALF]) if halves else (counts[_HALF], 0)
    possible = counts[_FULL] + counts[_HALF] + counts[_MISSED]
    actual = counts[_FULL] + counts[_HALF] + counts[_SPURIOUS]
    credit = counts[_FULL] + partial / 2
    precision, recall = (
        (credit / actual if actual else 0.0),
        (credit / possible if possible else 0.0),
    )
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Scheme(
        counts[_FULL],
        incorrect,
        partial,
        counts[_MISSED],
        counts[_SPURIOUS],
        possible,
        actual,
        precision,
        recall,
        f1,
    )
