"""Alignment of true and predicted entities, the confusion matrix, and partial matches as nervaluate counts
them.
"""

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.corpus.reading import DEFAULTS, read_split
from components.corpus.splits import find_splits
from components.ner.scores import score_all
from components.ner.sentence import Span
from components.report.alignment import Pair, align, confusion, overlap, semeval_matches
from tests import nervaluate_counts
from tests.unit.report.strategies import TYPES, predictions, spans

SOME = settings(deadline=None)


@SOME
@given(st.integers(1, 12).flatmap(lambda tokens: st.tuples(spans(tokens), spans(tokens))))
def test_every_entity_is_in_one_pair_and_pairs_overlap(both):
    gold, predicted = both
    pairs = align(gold, predicted)
    assert sorted(pair.gold for pair in pairs if pair.gold) == sorted(gold)
    assert sorted(pair.predicted for pair in pairs if pair.predicted) == sorted(predicted)
    assert all(
        overlap(pair.gold, pair.predicted) > 0 for pair in pairs if pair.gold and pair.predicted
    )


@SOME
@given(st.integers(1, 12).flatmap(lambda tokens: st.tuples(spans(tokens), spans(tokens))))
def test_unpaired_entities_do_not_overlap_each_other(both):
    pairs = align(*both)
    missed = [pair.gold for pair in pairs if pair.predicted is None]
    spurious = [pair.predicted for pair in pairs if pair.gold is None]
    assert not any(overlap(gold, predicted) > 0 for gold in missed for predicted in spurious)


@SOME
@given(predictions())
def test_the_number_of_correct_pairs_equals_the_true_positives(made):
    pairs = [pair for one in made for pair in align(*one.gold_and_predicted)]
    assert sum(pair.kind == "correct" for pair in pairs) == sum(
        counts.tp for counts in score_all(one.gold_and_predicted for one in made).values()
    )


@pytest.mark.parametrize(
    ("gold", "predicted", "kind"),
    [
        (Span(0, 2, "PER"), Span(0, 2, "PER"), "correct"),
        (Span(0, 2, "PER"), Span(0, 2, "LOC"), "type"),
        (Span(0, 2, "PER"), Span(0, 1, "PER"), "boundary"),
        (Span(0, 2, "PER"), Span(1, 3, "LOC"), "boundary_and_type"),
        (Span(0, 2, "PER"), None, "missed"),
        (None, Span(0, 2, "PER"), "spurious"),
    ],
)
def test_the_kind_of_a_pair(gold, predicted, kind):
    assert Pair(gold, predicted).kind == kind


def test_the_larger_overlap_is_paired_before_the_same_type():
    gold, predicted = (Span(0, 4, "PER"),), (Span(0, 3, "LOC"), Span(3, 4, "PER"))
    assert align(gold, predicted) == (Pair(gold[0], predicted[0]), Pair(None, predicted[1]))


def test_equal_overlaps_are_paired_by_type():
    gold, predicted = (Span(0, 2, "PER"),), (Span(0, 1, "LOC"), Span(1, 2, "PER"))
    assert Pair(gold[0], predicted[1]) in align(gold, predicted)


@SOME
@given(predictions())
def test_the_margins_of_the_confusion_are_the_support_and_the_predictions(made):
    matrix = confusion((pair for one in made for pair in align(*one.gold_and_predicted)), TYPES)
    counts = score_all(one.gold_and_predicted for one in made)
    for index, type_ in enumerate(TYPES):
        row, column = matrix.counts[index], [line[index] for line in matrix.counts]
        here = counts.get(type_)
        assert sum(row) == (here.support if here else 0)
        assert sum(column) == (here.tp + here.fp if here else 0)
        assert row[index] >= (here.tp if here else 0)
    assert matrix.labels[-1] == "O" and matrix.counts[-1][-1] == 0


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
