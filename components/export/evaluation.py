"""Entity scores of a published model on labelled sentences, and its predictions beside the truth."""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import TypeVar

from components.export.entity import Entity
from components.export.published_model import PublishedModel
from components.ner import scores
from components.ner.sentence import Sentence, Span, text_of

_T = TypeVar("_T")


class Evaluation:
    """Goes through sentences once, scoring the model's entities against theirs.

    Args:
      model: the published model.
      from_text: let the model tokenise: it gets a sentence's text, or its tokens joined by spaces, and its entities are
        laid back over the sentence's own tokens.

    `report` counts what `predictions` has gone through; its seconds are the model's alone.
    """

    def __init__(self, model: PublishedModel, from_text: bool = False):
        self._model, self._from_text = model, from_text
        self.report = scores.Report()

    def predictions(
        self, sentences: Iterable[Sentence]
    ) -> Iterator[tuple[Sentence, tuple[Span, ...]]]:
        """Each sentence with the entities that the model finds in it, as spans of its tokens."""
        asked, kept = tee(sentences)
        clock = _Clock(
            self._from_texts(asked)
            if self._from_text
            else self._model.tag(one.tokens for one in asked)
        )
        for found, sentence in zip(clock, kept):
            seconds, clock.seconds = clock.seconds, 0.0
            self.report += scores.Report(
                scores.score(sentence.spans, found), 1, len(sentence.tokens), seconds
            )
            yield sentence, found

    def _from_texts(self, sentences: Iterable[Sentence]) -> Iterator[tuple[Span, ...]]:
        asked, kept = tee(sentences)
        for found, sentence in zip(self._model.recognise(text_of(one)[0] for one in asked), kept):
            yield on_tokens(found, text_of(sentence)[1])


def on_tokens(entities: Iterable[Entity], offsets: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """Entities of a text as spans of its tokens: each covers the tokens that it touches.

    Of two that touch the same token, which happens where the known way cuts it, the later one is cut short, as it would be
    if the token took the tag of its first part.

    >>> on_tokens([Entity("U", "LOC", 0, 1, 0.9)], [(0, 4), (5, 7)])
    (Span(start=0, end=1, type='LOC'),)
    """
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    spans: list[Span] = []
    for entity in entities:
        first, stop = bisect_right(ends, entity.start), bisect_left(starts, entity.end)
        first = max([first, *(span.end for span in spans[-1:])])
        if first < stop:
            spans.append(Span(first, stop, entity.type))
    return tuple(spans)


class _Clock(Iterator[_T]):
    """Passes items on and adds up the seconds that they took."""

    def __init__(self, items: Iterable[_T]):
        self._items, self.seconds = iter(items), 0.0

    def __next__(self) -> _T:
        started = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += time.perf_counter() - started
