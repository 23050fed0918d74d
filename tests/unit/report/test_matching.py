"""Partial matches: equal to nervaluate's, overall and for each type."""

from dataclasses import asdict

import pytest
from hypothesis import given, settings

from components.corpus.reading import DEFAULTS, read_split
from components.corpus.splits import find_splits
from components.ner.sentence import Span
from components.report.alignment import semeval_matches
from tests import nervaluate_counts
from tests.unit.report.strategies import TYPES, predictions


@pytest.fixture(scope="module")
def nervaluate():
    return nervaluate_counts.nervaluate()


def equal(pairs, types, nervaluate):
    overall, per_type = semeval_matches(pairs)
    expected, expected_per_type = nervaluate(pairs, types)
    assert asdict(overall) == {way: pytest.approx(counts) for way, counts in expected.items()}
    assert {type_: asdict(ways) for type_, ways in per_type.items()} == {
        type_: {way: pytest.approx(counts) for way, counts in ways.items()}
        for type_, ways in expected_per_type.items()
    }


@settings(deadline=None)
@given(made=predictions())
def test_matches_equal_nervaluates(nervaluate, made):
    if made:  # nervaluate wants a sentence
        equal([one.gold_and_predicted for one in made], TYPES, nervaluate)


def moved(number, span, length):
    """Possible predictions for an entity: correct, missed, wrong type, wrong boundary, both, split in two."""
    start, end, type_ = span.start, span.end, span.type
    other = "person" if type_ != "person" else "group"
    longer = Span(start, min(end + 1, length), type_)
    halves = (
        (Span(start, start + 1, type_), Span(start + 1, end, other)) if end - start > 1 else (span,)
    )
    return [
        (span,),
        (),
        (Span(start, end, other),),
        (longer,),
        (Span(start, longer.end, other),),
        halves,
    ][number % 6]


def test_matches_equal_nervaluates_on_a_real_corpus(nervaluate, real_corpora):
    splits = find_splits(str(real_corpora / "wnut17"))
    pairs, number, types = [], 0, set()
    for sentence in read_split(splits, "test", DEFAULTS):
        found = []
        for span in sentence.spans:
            types.add(span.type)
            for made in moved(number, span, len(sentence.tokens)):
                if not found or found[-1].end <= made.start:
                    found.append(made)
            number += 1
        pairs.append((sentence.spans, tuple(found)))
    assert number > 1000 and len(types) == 6
    equal(pairs, types, nervaluate)


@pytest.mark.parametrize(
    ("found", "way", "counts"),
    [
        ((), "strict", {"missed": 1}),
        ((Span(1, 3, "PER"),), "strict", {"correct": 1}),
        ((Span(1, 3, "LOC"),), "strict", {"incorrect": 1}),
        ((Span(1, 3, "LOC"),), "exact", {"correct": 1}),
        ((Span(1, 2, "PER"),), "exact", {"incorrect": 1}),
        ((Span(1, 2, "LOC"),), "partial", {"partial": 1}),
        ((Span(1, 2, "PER"),), "ent_type", {"correct": 1}),
        ((Span(1, 2, "LOC"),), "ent_type", {"incorrect": 1}),
        ((Span(4, 5, "PER"),), "partial", {"missed": 1, "spurious": 1}),
        ((Span(1, 2, "PER"), Span(2, 3, "PER")), "partial", {"partial": 1, "spurious": 1}),
    ],
)
def test_each_match_scheme_classifies_an_entity(found, way, counts):
    scheme = asdict(semeval_matches([((Span(1, 3, "PER"),), found)])[0])[way]
    assert {
        name: scheme[name] for name in ("correct", "incorrect", "partial", "missed", "spurious")
    } == {
        **dict.fromkeys(("correct", "incorrect", "partial", "missed", "spurious"), 0),
        **counts,
    }


def test_a_partial_match_counts_as_half_a_match():
    scheme = semeval_matches([((Span(0, 2, "PER"),), (Span(0, 1, "PER"),))])[0].partial
    assert (scheme.precision, scheme.recall, scheme.f1) == (0.5, 0.5, 0.5)
