"""Entity scores of a published model on labelled sentences."""

import time
from collections.abc import Iterable, Iterator
from itertools import tee

from components.export.entity import token_spans
from components.export.published_model import PublishedModel
from components.ner.scores import CorpusScores, score
from components.ner.sentence import Sentence, Span
from components.ner.tokens import text_of


class Evaluation:
    """Predicts the entities of sentences and scores them against their labels, in one pass.

    Args:
      model: the published model.
      from_text: let the model tokenise. It gets a sentence's text, or its tokens joined by spaces,
        and its entities are mapped to the sentence's own tokens.

    Attributes:
      scores: the scores of the sentences so far; its seconds are those of the model.
    """

    def __init__(self, model: PublishedModel, from_text: bool = False):
        self._model, self._from_text = model, from_text
        self.scores = CorpusScores()

    def predictions(
        self, sentences: Iterable[Sentence]
    ) -> Iterator[tuple[Sentence, tuple[Span, ...]]]:
        """Yields each sentence with the predicted entities, as spans of its tokens."""
        inputs, labelled = tee(sentences)
        if self._from_text:
            predictions = self._from_texts(inputs)
        else:
            predictions = self._model.tag(inputs)
        for sentence in labelled:
            started = time.perf_counter()
            spans = next(predictions)
            seconds = time.perf_counter() - started
            counts = score(sentence.spans, spans)
            self.scores += CorpusScores(counts, 1, len(sentence.tokens), seconds)
            yield sentence, spans

    def _from_texts(self, sentences: Iterable[Sentence]) -> Iterator[tuple[Span, ...]]:
        inputs, labelled = tee(sentences)
        predictions = self._model.predict_iter(text_of(sentence)[0] for sentence in inputs)
        for (_, entities), sentence in zip(predictions, labelled):
            yield token_spans(entities, text_of(sentence)[1])
