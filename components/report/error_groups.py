"""Groups of similar errors: the same words missed, the same boundary wrong, the same confusion.

All errors are counted. Examples are kept for the largest groups only: predictions with the highest
score first, and no sentence twice in a group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from components.ner.novelty import surface
from components.ner.sentence import Span
from components.report.alignment import Pair, Prediction
from components.report.examples import make_example
from components.report.figures import (
    BOUNDARY,
    CORRECT,
    MISSED,
    SPURIOUS,
    ErrorGroup,
    ErrorKind,
    Errors,
)

EXAMPLES_PER_GROUP = 3
EXAMPLES_OF_REST = 6  # in the group of all other errors
GROUPS_PER_KIND = 8  # of one kind and type, besides the group of all other errors
TOTAL_GROUPS = 200  # approximately; more groups make a report slow and are not read
WORDS_PER_GROUP = 5


@dataclass(frozen=True, slots=True)
class _Error:
    """A wrong pair in a sentence."""

    index: int  # of the sentence
    pair: Pair


def group_errors(predictions: Sequence[Prediction], pairs: Sequence[Sequence[Pair]]) -> Errors:
    """Groups the errors of a model.

    Args:
      predictions: one for each sentence.
      pairs: the aligned pairs of each sentence.
    """
    by_kind: dict[tuple[str, str], list[_Error]] = defaultdict(list)
    for index, sentence_pairs in enumerate(pairs):
        for pair in sentence_pairs:
            if pair.kind != CORRECT:
                by_kind[pair.kind, pair.type].append(_Error(index, pair))
    largest_first = sorted(by_kind.items(), key=lambda item: (-len(item[1]), item[0]))
    limit = max(2, min(GROUPS_PER_KIND, TOTAL_GROUPS // max(1, len(by_kind))))
    grouper = _Grouper(predictions, limit)
    return Errors(
        sum(map(len, by_kind.values())),
        tuple(
            ErrorKind(kind, type_name, len(errors), grouper.groups(kind, errors))
            for (kind, type_name), errors in largest_first
        ),
    )


class _Grouper:
    """Groups the errors of one kind and type into at most `limit` named groups."""

    def __init__(self, predictions: Sequence[Prediction], limit: int) -> None:
        self._predictions = predictions
        self._limit = limit
        self._gold_counts = Counter(
            (span.type, surface(prediction.sentence.tokens, span))
            for prediction in predictions
            for span in prediction.sentence.spans
        )
        self._predicted_counts = Counter(
            (span.type, surface(prediction.sentence.tokens, span))
            for prediction in predictions
            for span in prediction.spans
        )

    def groups(self, kind: str, errors: Sequence[_Error]) -> tuple[ErrorGroup, ...]:
        """Returns the groups, largest first; all remaining errors are in one group at the end."""
        by_label: dict[str, list[_Error]] = defaultdict(list)
        for error in errors:
            by_label[self._label(error)].append(error)
        largest_first = sorted(by_label.items(), key=lambda item: (-len(item[1]), item[0]))
        # Words that are missed or spurious only once do not form a group.
        candidates = [
            (label, members)
            for label, members in largest_first
            if len(members) > 1 or kind not in (MISSED, SPURIOUS)
        ]
        named = candidates[: self._limit]
        named_labels = {label for label, _ in named}
        rest = [
            error
            for label, members in largest_first
            if label not in named_labels
            for error in members
        ]
        groups = [self._group(kind, label, members) for label, members in named]
        if rest:
            groups.append(self._group(kind, "", rest))
        return tuple(groups)

    def _group(self, kind: str, label: str, members: Sequence[_Error]) -> ErrorGroup:
        words: Counter[str] = Counter()
        if kind == BOUNDARY:
            words.update(word for error in members for word in self._differing_words(error))
        limit = EXAMPLES_PER_GROUP if label else EXAMPLES_OF_REST
        return ErrorGroup(
            label=label,
            count=len(members),
            examples=tuple(
                make_example(self._predictions[error.index], error.index, error.pair.spans)
                for error in self._select_examples(members, limit)
            ),
            total=self._total(kind, members[0]) if label else None,
            words=dict(words.most_common(WORDS_PER_GROUP)),
        )

    def _label(self, error: _Error) -> str:
        gold, predicted = error.pair.gold, error.pair.predicted
        if gold is None or predicted is None:
            return self._surface(error)
        return (
            boundary_difference(gold, predicted) if gold.type == predicted.type else predicted.type
        )

    def _surface(self, error: _Error) -> str:
        return surface(self._predictions[error.index].sentence.tokens, error.pair.spans[0])

    def _total(self, kind: str, error: _Error) -> int | None:
        """The number of entities with the same words and type: true ones for MISSED, predicted ones
        for SPURIOUS, None for other kinds."""
        key = error.pair.type, self._surface(error)
        if kind == MISSED:
            return self._gold_counts[key]
        if kind == SPURIOUS:
            return self._predicted_counts[key]
        return None

    def _differing_words(self, error: _Error) -> list[str]:
        """The tokens that are in one of the two entities only."""
        gold, predicted = (set(range(span.start, span.end)) for span in error.pair.spans)
        tokens = self._predictions[error.index].sentence.tokens
        return [tokens[index] for index in sorted(gold ^ predicted)]

    def _select_examples(self, members: Sequence[_Error], limit: int) -> list[_Error]:
        by_sentence: dict[tuple[str, ...], _Error] = {}
        for error in sorted(members, key=lambda error: (-self._score(error), error.index)):
            by_sentence.setdefault(self._predictions[error.index].sentence.tokens, error)
            if len(by_sentence) == limit:
                break
        return list(by_sentence.values())

    def _score(self, error: _Error) -> float:
        prediction, span = self._predictions[error.index], error.pair.predicted
        return prediction.scores[prediction.spans.index(span)] if span else 0.0


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
