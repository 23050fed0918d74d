"""Sentences with predictions, drawn by hypothesis."""

from hypothesis import strategies as st

from components.ner.sentence import Sentence, Span
from components.report.alignment import Prediction

TYPES = ("LOC", "ORG", "PER")
WORDS = ("Ada", "ada", "ADA", "New", "York", "iPhone", "42", ".")


@st.composite
def spans(draw, tokens):
    """Disjoint spans in a sentence of a given number of tokens."""
    borders = sorted(draw(st.sets(st.integers(0, tokens), max_size=8)))
    return tuple(
        Span(start, end, draw(st.sampled_from(TYPES)))
        for start, end in zip(borders[::2], borders[1::2])
        if draw(st.booleans()) or end - start < 4
    )


@st.composite
def predictions(draw, at_most=6):
    """Labelled sentences with predictions, which often contain a true entity."""
    made = []
    for number in range(draw(st.integers(0, at_most))):
        tokens = tuple(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=10)))
        gold = draw(spans(len(tokens)))
        found = gold if draw(st.integers(0, 3)) == 0 else draw(spans(len(tokens)))
        scores = tuple(draw(st.sampled_from((0.0, 0.25, 0.29, 0.5, 0.95, 1.0))) for _ in found)
        made.append(Prediction(Sentence(tokens, gold, id=f"made:{number}"), found, scores))
    return made
