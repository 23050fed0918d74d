"""Entities of a text as spans of given tokens."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.export.entity import Entity, token_spans
from components.ner.sentence import Span

TOKENS = ((0, 3), (4, 9), (10, 11), (11, 14))


def entity(start, end, type_="PER"):
    return Entity("", type_, start, end, 0.9)


@pytest.mark.parametrize(
    ("entities", "spans"),
    [
        ([], []),
        ([entity(0, 3)], [Span(0, 1, "PER")]),
        ([entity(0, 9)], [Span(0, 2, "PER")]),
        ([entity(1, 2)], [Span(0, 1, "PER")]),
        ([entity(2, 5)], [Span(0, 2, "PER")]),
        ([entity(3, 4)], []),  # the space between two tokens
        ([entity(9, 10)], []),
        ([entity(10, 14)], [Span(2, 4, "PER")]),
        ([entity(0, 3), entity(4, 9, "LOC")], [Span(0, 1, "PER"), Span(1, 2, "LOC")]),
        (
            [entity(4, 6), entity(7, 9, "LOC")],
            [Span(1, 2, "PER")],
        ),  # both in one token: its first part's counts
        ([entity(0, 5), entity(6, 14, "LOC")], [Span(0, 2, "PER"), Span(2, 4, "LOC")]),
        ([entity(14, 20)], []),
    ],
)
def test_an_entity_covers_the_tokens_that_it_overlaps(entities, spans):
    assert token_spans(entities, TOKENS) == tuple(spans)


def test_without_tokens_there_are_no_spans():
    assert token_spans([entity(0, 3)], ()) == ()


@given(
    st.lists(st.integers(1, 4), max_size=8),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), max_size=6),
)
def test_spans_are_sorted_disjoint_and_within_the_tokens(lengths, steps):
    offsets, offset = [], 0
    for length in lengths:
        offsets.append((offset, offset + length))
        offset += length + 1
    entities, offset = [], 0
    for gap, length in steps:
        entities.append(entity(offset + gap, offset + gap + length))
        offset += gap + length
    spans = token_spans(entities, offsets)
    assert all(0 <= span.start < span.end <= len(offsets) for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=8))
def test_entities_that_cover_whole_tokens_are_unchanged(pieces):
    offsets, offset = [], 0
    for length, _ in pieces:
        offsets.append((offset, offset + length))
        offset += length + 1
    spans = tuple(Span(n, n + 1, "X") for n, (_, is_entity) in enumerate(pieces) if is_entity)
    assert token_spans([entity(*offsets[span.start], "X") for span in spans], offsets) == spans
