"""Entities over corpus tokens, as they count, from tags of the known way's tokens: a corpus token has that of its first part."""

from collections.abc import Sequence

import numpy as np

from components.ner import tags
from components.ner.sentence import Span

NO_TAG = -1  # of the further parts of a corpus token


def corpus_spans(numbers: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> tuple[Span, ...]:
    """The entities, over corpus tokens, of tag numbers for the known way's tokens; `gold` has a tag where a corpus token begins.

    >>> corpus_spans(np.array([1, 2, 0]), np.array([1, -1, 0]), ("O", "B-PER", "I-PER"))
    (Span(start=0, end=1, type='PER'),)
    """
    return tags.spans_of([labels[number] for number in numbers[gold != NO_TAG]], "IOB2")
