"""Errors of a model in their sentences: groups of similar errors, and labels that may be wrong.

`group_errors` counts all errors. It keeps examples for the largest groups only: predictions with
the highest score first, and no sentence twice in a group.

`suspects` has two sources: predictions with a high score that contradict the corpus, as in
confident learning (Northcutt, Jiang and Chuang 2021), and words that train labels in several ways.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from components.ner.sentence import Sentence, Span, surface
from components.report.alignment import Pair, Prediction, overlap
from components.report.figures import (
    BOUNDARY,
    CORRECT,
    MISSED,
    OUTSIDE,
    SPURIOUS,
    Conflict,
    Disagreement,
    ErrorGroup,
    ErrorKind,
    Errors,
    Example,
    ExampleEntity,
    Suspects,
)

CONTEXT = 20  # tokens of an example on each side of its entities

# Groups of errors
EXAMPLES_PER_GROUP = 3
EXAMPLES_OF_REST = 6  # in the group of all other errors
GROUPS_PER_KIND = 8  # of one kind and type, besides the group of all other errors
TOTAL_GROUPS = 200  # approximately; more groups make a report slow and are not read
WORDS_PER_GROUP = 5

# Suspects
CONFIDENT = 0.9  # score from which a contradiction is suspicious
LIST_LENGTH = 40
_IDS_PER_LABEL = 3

_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Error:
    """A wrong pair in a sentence."""

    prediction: Prediction
    index: int  # of the sentence in its split
    pair: Pair

    @property
    def tokens(self) -> tuple[str, ...]:
        return self.prediction.sentence.tokens

    @property
    def surface(self) -> str:
        """The words of the true entity, or of a spurious prediction."""
        return surface(self.tokens, self.pair.spans[0])

    @property
    def label(self) -> str:
        """The label of its group (`components.report.figures.ErrorGroup`)."""
        gold, predicted = self.pair.gold, self.pair.predicted
        if gold is None or predicted is None:
            return self.surface
        if gold.type != predicted.type:
            return predicted.type
        return boundary_difference(gold, predicted)

    @property
    def score(self) -> float:
        """The score of the prediction, 0 if the entity was missed."""
        span = self.pair.predicted
        return self.prediction.scores[self.prediction.spans.index(span)] if span else 0.0

    @property
    def differing_words(self) -> list[str]:
        """The tokens that are in one of the two entities only."""
        gold, predicted = (set(range(span.start, span.end)) for span in self.pair.spans)
        return [self.tokens[index] for index in sorted(gold ^ predicted)]


def group_errors(predictions: Sequence[Prediction], pairs: Sequence[Sequence[Pair]]) -> Errors:
    """Groups the errors of a model.

    Args:
      predictions: one for each sentence.
      pairs: the aligned pairs of each sentence.
    """
    by_kind: dict[tuple[str, str], list[_Error]] = defaultdict(list)
    totals: dict[str, Counter[tuple[str, str]]] = {MISSED: Counter(), SPURIOUS: Counter()}
    for index, (prediction, sentence_pairs) in enumerate(zip(predictions, pairs)):
        for pair in sentence_pairs:
            if pair.kind != CORRECT:
                by_kind[pair.kind, pair.type].append(_Error(prediction, index, pair))
        for kind, spans in zip((MISSED, SPURIOUS), prediction.gold_and_predicted):
            totals[kind].update(
                (span.type, surface(prediction.sentence.tokens, span)) for span in spans
            )
    limit = max(2, min(GROUPS_PER_KIND, TOTAL_GROUPS // max(1, len(by_kind))))
    kinds = [
        ErrorKind(kind, type_, len(errors), _groups(kind, errors, limit, totals.get(kind, {})))
        for (kind, type_), errors in by_kind.items()
    ]
    kinds.sort(key=lambda kind: (-kind.count, kind.kind, kind.type))
    return Errors(sum(kind.count for kind in kinds), tuple(kinds))


def _groups(
    kind: str, errors: Sequence[_Error], limit: int, totals: Mapping[tuple[str, str], int]
) -> tuple[ErrorGroup, ...]:
    """Groups the errors of one kind and type.

    Args:
      kind: the kind.
      errors: its errors.
      limit: the maximum number of named groups. All other errors are in one group at the end.
      totals: the number of entities by type and words, for `ErrorGroup.total`.
    """
    by_label: dict[str, list[_Error]] = defaultdict(list)
    for error in errors:
        by_label[error.label].append(error)
    named, rest = [], []
    for label, members in sorted(by_label.items(), key=lambda item: (-len(item[1]), item[0])):
        # Words that are missed or spurious only once do not form a group.
        if len(named) < limit and (len(members) > 1 or kind not in (MISSED, SPURIOUS)):
            total = totals.get((members[0].pair.type, members[0].surface))
            named.append(_group(kind, label, members, EXAMPLES_PER_GROUP, total))
        else:
            rest += members
    return (*named, *([_group(kind, "", rest, EXAMPLES_OF_REST)] if rest else []))


def _group(
    kind: str, label: str, members: list[_Error], examples: int, total: int | None = None
) -> ErrorGroup:
    words: Counter[str] = Counter()
    if kind == BOUNDARY:
        words.update(word for error in members for word in error.differing_words)
    by_sentence: dict[_Words, _Error] = {}
    for error in sorted(members, key=lambda error: (-error.score, error.index)):
        by_sentence.setdefault(error.tokens, error)
    return ErrorGroup(
        label=label,
        count=len(members),
        examples=tuple(
            _make_example(error.prediction, error.index, error.pair.spans)
            for error in list(by_sentence.values())[:examples]
        ),
        total=total,
        words=dict(words.most_common(WORDS_PER_GROUP)),
    )


def boundary_difference(gold: Span, predicted: Span) -> str:
    """Describes how the boundaries of a prediction differ from those of the true entity.

    >>> boundary_difference(Span(1, 3, "PER"), Span(0, 2, "PER"))
    'starts too early, ends too early'
    """
    edges = [("starts", gold.start, predicted.start), ("ends", gold.end, predicted.end)]
    return ", ".join(
        f"{verb} too {'early' if actual < expected else 'late'}"
        for verb, expected, actual in edges
        if actual != expected
    )


def _make_example(prediction: Prediction, index: int, subject: Sequence[Span]) -> Example:
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
    example = _make_example(prediction, index, [span])
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
