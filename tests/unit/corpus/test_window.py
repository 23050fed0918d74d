"""The spans that a run uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.corpus.data_spans import DataSpan
from components.corpus.find_corpus import Choice, choose
from components.errors import UserError


def spans(*numbers, lacking=()):
    return tuple(
        DataSpan(number, 0, f"/d/span-{number}", "it holds no data" if number in lacking else "")
        for number in numbers
    )


def chosen(found, **choice):
    window = choose("/d", found, Choice(**choice))
    return [span.number for span in window.trained], window.held_out and window.held_out.number


def refused(found, *parts, **choice):
    with pytest.raises(UserError) as caught:
        choose("/d", found, Choice(**choice))
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ([1, 2, 3, 4], None)),
        ({"window": 2}, ([3, 4], None)),
        ({"window": 9}, ([1, 2, 3, 4], None)),
        ({"held_out": True}, ([1, 2, 3], 4)),
        ({"window": 2, "held_out": True}, ([2, 3], 4)),
        ({"window": 2, "last": 3}, ([2, 3], None)),
        ({"first": 2}, ([2, 3, 4], None)),
        ({"first": 2, "last": 3, "held_out": True}, ([2], 3)),
    ],
)
def test_the_newest_spans_are_taken(choice, expected):
    assert chosen(spans(1, 2, 3, 4), **choice) == expected


def test_a_missing_named_span_is_not_replaced_by_an_older_one():
    refused(spans(1, 2), "span 3 is not there", "spans.last", "found 1, 2. ", last=3)
    refused(spans(2, 3), "span 1 is not there", "spans.first", first=1)


def test_span_0_can_be_named():
    assert chosen(spans(0, 1), last=0) == ([0], None)


def test_a_gap_in_the_window_is_named():
    refused(spans(3, 5), "span 4 is missing between span 3 and span 5", "spans.gaps=allow")
    refused(spans(3, 7), "spans 4 to 6 are missing", window=2)
    refused(spans(3, 5), "span 4 is missing", held_out=True)


def test_a_gap_before_the_window_does_not_matter():
    assert chosen(spans(1, 3, 4), window=2) == ([3, 4], None)


def test_a_gap_can_be_allowed():
    assert chosen(spans(1, 3, 5), window=2, gaps=True) == ([3, 5], None)


def test_a_late_span_is_in_the_window_again():
    assert chosen(spans(3, 5), window=3, gaps=True) == ([3, 5], None)
    assert chosen(spans(3, 4, 5), window=3) == ([3, 4, 5], None)


def test_an_incomplete_span_anywhere_in_the_window_stops_the_run():
    refused(spans(1, 2, 3, lacking={3}), "span 3 is not complete: it holds no data", "spans.last")
    refused(spans(1, 2, 3, lacking={2}), "span 2 is not complete")
    refused(spans(1, 2, 3, lacking={3}), "span 3 is not complete", held_out=True)
    assert chosen(spans(1, 2, 3, lacking={1}), window=2) == ([2, 3], None)


def test_a_window_without_spans_to_train_on_is_refused():
    refused((), "found no span")
    refused(spans(1), "found no span to train on before span 1", held_out=True)


@given(
    st.sets(st.integers(0, 20), min_size=1),
    st.one_of(st.none(), st.integers(1, 5)),
    st.booleans(),
)
def test_a_window_has_the_newest_spans_before_the_held_out_one(numbers, window, held_out):
    ordered = sorted(numbers)
    if held_out and len(ordered) == 1:
        return
    trained, held = chosen(spans(*ordered), window=window, held_out=held_out, gaps=True)
    assert (held == ordered[-1]) if held_out else held is None
    before = ordered[:-1] if held_out else ordered
    assert trained == before[len(before) - min(window or len(before), len(before)) :]
