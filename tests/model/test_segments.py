"""The segments of a text that the model reads separately."""

import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.export import signatures


def segments(counts, breaks=(), ends=()):
    total = sum(counts)
    marks = [
        tf.constant([position in chosen for position in range(total)], tf.bool)
        for chosen in (breaks, ends)
    ]
    return signatures.segments(tf.constant(counts, tf.int64), *marks).numpy().tolist()


def test_texts_and_paragraphs_are_separate_segments():
    assert segments([3, 5], breaks=[5]) == [3, 2, 3]


def test_short_texts_are_not_cut_at_sentence_ends():
    assert segments([100], ends=[20, 50]) == [100]


def test_a_long_text_is_cut_after_the_end_of_a_sentence():
    assert segments([300], ends=[10, 139]) == [140, 160]


def test_a_long_text_without_sentence_ends_is_cut_at_the_maximum_length():
    assert segments([1200]) == [512, 512, 176]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=4), st.data())
def test_segments_tile_the_texts_and_respect_the_maximum_length(counts, data):
    total = sum(counts)
    chosen = [data.draw(st.sets(st.integers(0, total - 1), max_size=20)) for _ in range(2)]
    parts = segments(counts, *chosen)
    ends = set(tf.cumsum(parts).numpy().tolist())
    assert sum(parts) == total and all(0 < part <= 512 for part in parts)
    assert set(tf.cumsum(counts).numpy().tolist()) <= ends
