"""An error in its sentence, with the tokens around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.ner.sentence import Span
from components.report.alignment import Prediction
from components.report.figures import Example, ExampleEntity

CONTEXT = 20  # tokens kept on each side


def make_example(prediction: Prediction, index: int, subject: Sequence[Span]) -> Example:
    """Cuts a sentence to the context of the entities it is about.

    Entities that the cut goes through are cut too.

    Args:
      prediction: the sentence with its entities.
      index: index of the sentence in its split.
      subject: at least one entity, true or predicted.
    """
    sentence = prediction.sentence
    start, end = min(span.start for span in subject), max(span.end for span in subject)
    left, right = max(0, start - CONTEXT), min(len(sentence.tokens), end + CONTEXT)

    def visible(spans: Iterable[tuple[Span, float | None]]) -> tuple[ExampleEntity, ...]:
        return tuple(
            ExampleEntity(
                max(span.start, left) - left, min(span.end, right) - left, span.type, score
            )
            for span, score in spans
            if span.start < right and span.end > left
        )

    return Example(
        id=sentence.id,
        index=index,
        tokens=sentence.tokens[left:right],
        gold=visible((span, None) for span in sentence.spans),
        predicted=visible(zip(prediction.spans, prediction.scores)),
        start=start - left,
        end=end - left,
        before=left,
        after=len(sentence.tokens) - right,
    )
