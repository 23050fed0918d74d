"""A sentence that shows something, cut to what is around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.ner.sentence import Span
from components.report.figures import Example, Found
from components.report.predictions import Prediction

AROUND = (
    20  # tokens kept on each side: the model looks no further for most decisions, nor does a reader
)


def example(prediction: Prediction, number: int, about: Sequence[Span]) -> Example:
    """The sentence around the entities that it is about; those that the cut goes through are cut too.

    Args:
      number: of the sentence, from 0.
      about: at least one entity, true or found.
    """
    sentence = prediction.sentence
    start, end = min(span.start for span in about), max(span.end for span in about)
    left, right = max(0, start - AROUND), min(len(sentence.tokens), end + AROUND)

    def seen(spans: Iterable[tuple[Span, float | None]]) -> tuple[Found, ...]:
        return tuple(
            Found(max(span.start, left) - left, min(span.end, right) - left, span.type, score)
            for span, score in spans
            if span.start < right and span.end > left
        )

    return Example(
        id=sentence.id,
        number=number,
        tokens=sentence.tokens[left:right],
        gold=seen((span, None) for span in sentence.spans),
        predicted=seen(zip(prediction.spans, prediction.scores)),
        start=start - left,
        end=end - left,
        before=left,
        after=len(sentence.tokens) - right,
    )
