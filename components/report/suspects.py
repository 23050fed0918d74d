"""Labels that may be wrong.

Two sources: predictions with a high score that contradict the corpus, as in confident learning
(Northcutt, Jiang and Chuang 2021), and words that train labels in several ways.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from components.ner.sentence import Sentence, Span
from components.report.alignment import Prediction, overlap
from components.report.examples import make_example
from components.report.figures import OUTSIDE, Conflict, Disagreement, ExampleEntity, Suspects

CONFIDENT = 0.9  # score from which a contradiction is suspicious
LIST_LENGTH = 40
_IDS_PER_LABEL = 3

_Words = tuple[str, ...]


class TrainLabels:
    """Counts of the labels of each entity's words in train.

    Iterates over `train` twice: for the entities, then for the same words outside all entities.
    """

    def __init__(self, train: Iterable[Sentence]) -> None:
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
            for words in _candidates_outside(sentence, lengths):
                if words in self._counts:
                    self._add(sentence, words, OUTSIDE)

    def _add(self, sentence: Sentence, words: _Words, label: str) -> None:
        self._counts[words][label] += 1
        ids = self._ids[words, label]
        if len(ids) < _IDS_PER_LABEL:
            ids.append(sentence.id)

    def conflicts(self) -> tuple[int, tuple[Conflict, ...]]:
        """Returns the number of conflicts and those with the largest minority."""
        minorities = [
            (counts.total() - max(counts.values()), words)
            for words, counts in self._counts.items()
            if len(counts) > 1
        ]
        worst = heapq.nsmallest(LIST_LENGTH, minorities, key=lambda item: (-item[0], item[1]))
        return len(minorities), tuple(self._conflict(words, count) for count, words in worst)

    def _conflict(self, words: _Words, minority_count: int) -> Conflict:
        labels = self._counts[words].most_common()
        rarest = labels[-1][0]
        return Conflict(
            " ".join(words), dict(labels), minority_count, tuple(self._ids[words, rarest])
        )


def suspects(predictions: Sequence[Prediction], train_labels: TrainLabels) -> Suspects:
    """Lists suspicious labels of the evaluated sentences and of train."""
    contradictions = [
        (score, index, span)
        for index, prediction in enumerate(predictions)
        for span, score, correct in prediction.judged()
        if not correct and score >= CONFIDENT
    ]
    worst = heapq.nsmallest(LIST_LENGTH, contradictions, key=lambda item: (-item[0], *item[1:]))
    conflict_count, conflicts = train_labels.conflicts()
    return Suspects(
        threshold=CONFIDENT,
        disagreement_count=len(contradictions),
        disagreements=tuple(
            _disagreement(predictions[index], index, span, score) for score, index, span in worst
        ),
        conflict_count=conflict_count,
        conflicts=conflicts,
    )


def _disagreement(prediction: Prediction, index: int, span: Span, score: float) -> Disagreement:
    overlapped = [true for true in prediction.sentence.spans if overlap(true, span) > 0]
    example = make_example(prediction, index, [span])
    gold = ", ".join(dict.fromkeys(true.type for true in overlapped)) or OUTSIDE
    return Disagreement(ExampleEntity(example.start, example.end, span.type, score), gold, example)


def _candidates_outside(sentence: Sentence, lengths: Mapping[str, set[int]]) -> Iterator[_Words]:
    """Yields runs of tokens outside all entities that may equal the words of an entity.

    Args:
      sentence: the sentence to search.
      lengths: the lengths, in tokens, of the entities that begin with a token.
    """
    inside = {index for span in sentence.spans for index in range(span.start, span.end)}
    for start, token in enumerate(sentence.tokens):
        for length in lengths.get(token, ()):
            indices = range(start, start + length)
            if indices.stop <= len(sentence.tokens) and inside.isdisjoint(indices):
                yield sentence.tokens[start : indices.stop]
