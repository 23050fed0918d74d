"""Labels that may be wrong: where the model is sure and the corpus says otherwise (as confident learning does: Northcutt, Jiang
and Chuang 2021), and where train labels the same words in several ways.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from components.ner.sentence import Sentence, Span
from components.report.alignment import overlap
from components.report.examples import example
from components.report.figures import OUTSIDE, Conflict, Disagreement, Found, Suspects
from components.report.predictions import Prediction

SURE = 0.9  # the score from which the model counts as sure
KEPT = 40  # of each list
_IDS = 3

_Words = tuple[str, ...]


class Labels:
    """How train labels each entity's words. Goes through `train` twice: for the entities, then for the same words outside of any."""

    def __init__(self, train: Iterable[Sentence]):
        self._counts: dict[_Words, Counter[str]] = defaultdict(Counter)
        self._ids: dict[tuple[_Words, str], list[str]] = defaultdict(list)
        for sentence in train:
            for span in sentence.spans:
                self._add(sentence, sentence.tokens[span.start : span.end], span.type)
        self.known = {" ".join(words): frozenset(counts) for words, counts in self._counts.items()}
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in self._counts:
            lengths[words[0]].add(len(words))
        for sentence in train:
            for words in _outside(sentence, lengths):
                if words in self._counts:
                    self._add(sentence, words, OUTSIDE)

    def _add(self, sentence: Sentence, words: _Words, label: str) -> None:
        self._counts[words][label] += 1
        ids = self._ids[words, label]
        if len(ids) < _IDS:
            ids.append(sentence.id)

    def conflicts(self) -> tuple[int, tuple[Conflict, ...]]:
        """How many different words have several labels, and those with most labels out of line."""
        found = [
            (counts.total() - max(counts.values()), words)
            for words, counts in self._counts.items()
            if len(counts) > 1
        ]
        worst = heapq.nsmallest(KEPT, found, key=lambda item: (-item[0], item[1]))
        return len(found), tuple(self._conflict(rare, words) for rare, words in worst)

    def _conflict(self, rare: int, words: _Words) -> Conflict:
        labels = self._counts[words].most_common()
        return Conflict(" ".join(words), dict(labels), rare, tuple(self._ids[words, labels[-1][0]]))


def suspects(predictions: Sequence[Prediction], labels: Labels) -> Suspects:
    """Suspicious labels of the evaluated sentences, and of train."""
    sure = [
        (score, number, span)
        for number, prediction in enumerate(predictions)
        for span, score, right in prediction.judged()
        if not right and score >= SURE
    ]
    surest = heapq.nsmallest(KEPT, sure, key=lambda item: (-item[0], *item[1:]))
    count, conflicts = labels.conflicts()
    return Suspects(
        SURE,
        len(sure),
        tuple(
            _disagreement(predictions[number], number, span, score)
            for score, number, span in surest
        ),
        count,
        conflicts,
    )


def _disagreement(prediction: Prediction, number: int, span: Span, score: float) -> Disagreement:
    touched = [one for one in prediction.sentence.spans if overlap(one, span) > 0]
    shown = example(prediction, number, [span])
    gold = ", ".join(dict.fromkeys(one.type for one in touched)) or OUTSIDE
    return Disagreement(Found(shown.start, shown.end, span.type, score), gold, shown)


def _outside(sentence: Sentence, lengths: Mapping[str, set[int]]) -> Iterator[_Words]:
    """Runs of tokens outside of every entity that begin as some entity does and are as long."""
    inside = {place for span in sentence.spans for place in range(span.start, span.end)}
    for start, token in enumerate(sentence.tokens):
        for length in lengths.get(token, ()):
            places = range(start, start + length)
            if places.stop <= len(sentence.tokens) and inside.isdisjoint(places):
                yield sentence.tokens[start : places.stop]
