"""Alignment of true and predicted entities, and the confusion matrix."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ner.scores import score_all
from components.ner.sentence import Span
from components.report.alignment import Pair, align, confusion, overlap
from tests.unit.report.strategies import TYPES, predictions, spans

SOME = settings(deadline=None)


@SOME
@given(st.integers(1, 12).flatmap(lambda tokens: st.tuples(spans(tokens), spans(tokens))))
def test_every_entity_is_in_one_pair_and_pairs_overlap(both):
    gold, found = both
    pairs = align(gold, found)
    assert sorted(pair.gold for pair in pairs if pair.gold) == sorted(gold)
    assert sorted(pair.predicted for pair in pairs if pair.predicted) == sorted(found)
    assert all(
        overlap(pair.gold, pair.predicted) > 0 for pair in pairs if pair.gold and pair.predicted
    )


@SOME
@given(st.integers(1, 12).flatmap(lambda tokens: st.tuples(spans(tokens), spans(tokens))))
def test_unpaired_entities_do_not_overlap_each_other(both):
    pairs = align(*both)
    missed = [pair.gold for pair in pairs if pair.predicted is None]
    spurious = [pair.predicted for pair in pairs if pair.gold is None]
    assert not any(overlap(gold, found) > 0 for gold in missed for found in spurious)


@SOME
@given(predictions())
def test_the_number_of_correct_pairs_equals_the_true_positives(made):
    pairs = [pair for one in made for pair in align(*one.gold_and_predicted)]
    assert sum(pair.kind == "correct" for pair in pairs) == sum(
        counts.tp for counts in score_all(one.gold_and_predicted for one in made).values()
    )


@pytest.mark.parametrize(
    ("gold", "found", "kind"),
    [
        (Span(0, 2, "PER"), Span(0, 2, "PER"), "correct"),
        (Span(0, 2, "PER"), Span(0, 2, "LOC"), "type"),
        (Span(0, 2, "PER"), Span(0, 1, "PER"), "boundary"),
        (Span(0, 2, "PER"), Span(1, 3, "LOC"), "boundary_and_type"),
        (Span(0, 2, "PER"), None, "missed"),
        (None, Span(0, 2, "PER"), "spurious"),
    ],
)
def test_the_kind_of_a_pair(gold, found, kind):
    assert Pair(gold, found).kind == kind


def test_the_larger_overlap_is_paired_before_the_same_type():
    gold, found = (Span(0, 4, "PER"),), (Span(0, 3, "LOC"), Span(3, 4, "PER"))
    assert align(gold, found) == (Pair(gold[0], found[0]), Pair(None, found[1]))


def test_equal_overlaps_are_paired_by_type():
    gold, found = (Span(0, 2, "PER"),), (Span(0, 1, "LOC"), Span(1, 2, "PER"))
    assert Pair(gold[0], found[1]) in align(gold, found)


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
