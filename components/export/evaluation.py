"""Entity scores of a published model on labelled sentences."""

import time
from collections.abc import Iterable, Iterator
from itertools import tee
from typing import TypeVar

from components.export.entity import token_spans
from components.export.published_model import PublishedModel
from components.ner import scores
from components.ner.sentence import Sentence, Span
from components.ner.tokens import text_of

_T = TypeVar("_T")


class Evaluation:
    """Predicts the entities of sentences and scores them against their labels, in one pass.

    Args:
      model: the published model.
      from_text: let the model tokenise. It gets a sentence's text, or its tokens joined by spaces,
        and its entities are mapped to the sentence's own tokens.

    Attributes:
      report: the scores of the sentences so far; its seconds are the model's alone.
    """

    def __init__(self, model: PublishedModel, from_text: bool = False):
        self._model, self._from_text = model, from_text
        self.report = scores.Report()

    def predictions(
        self, sentences: Iterable[Sentence]
    ) -> Iterator[tuple[Sentence, tuple[Span, ...]]]:
        """Yields each sentence with the predicted entities, as spans of its tokens."""
        inputs, labelled = tee(sentences)
        predictions = _Timed(
            self._from_texts(inputs)
            if self._from_text
            else self._model.tag(sentence.tokens for sentence in inputs)
        )
        for spans, sentence in zip(predictions, labelled):
            seconds, predictions.seconds = predictions.seconds, 0.0
            self.report += scores.Report(
                scores.score(sentence.spans, spans), 1, len(sentence.tokens), seconds
            )
            yield sentence, spans

    def _from_texts(self, sentences: Iterable[Sentence]) -> Iterator[tuple[Span, ...]]:
        inputs, labelled = tee(sentences)
        predictions = self._model.predict_iter(text_of(sentence)[0] for sentence in inputs)
        for (_, entities), sentence in zip(predictions, labelled):
            yield token_spans(entities, text_of(sentence)[1])


class _Timed(Iterator[_T]):
    """Iterates over items and adds up the seconds spent waiting for them."""

    def __init__(self, items: Iterable[_T]):
        self._items, self.seconds = iter(items), 0.0

    def __next__(self) -> _T:
        started = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += time.perf_counter() - started
