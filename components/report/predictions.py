"""A labelled sentence beside what a model found in it: what every section of a report is computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from components.ner.sentence import Sentence, Span


@dataclass(frozen=True, slots=True)
class Prediction:
    """A sentence with its true entities, the found ones, and a score from 0 to 1 for each of these."""

    sentence: Sentence
    spans: tuple[Span, ...]
    scores: tuple[float, ...]

    @property
    def pair(self) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """The true entities and the found ones."""
        return self.sentence.spans, self.spans

    def judged(self) -> Iterator[tuple[Span, float, bool]]:
        """Each found entity with its score and whether it is right."""
        gold = set(self.sentence.spans)
        return ((span, score, span in gold) for span, score in zip(self.spans, self.scores))
