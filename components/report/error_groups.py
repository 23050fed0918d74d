"""Groups of similar errors: the same words missed, the same boundary wrong, the same confusion.

All errors are counted. Examples are kept for the largest groups only: predictions with the highest
score first, and no sentence twice in a group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from components.ner.novelty import surface
from components.ner.sentence import Sentence, Span
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

_Key = TypeVar("_Key")


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
    for index, (prediction, sentence_pairs) in enumerate(zip(predictions, pairs)):
        for pair in sentence_pairs:
            if pair.kind != CORRECT:
                by_kind[pair.kind, pair.type].append(_Error(prediction, index, pair))
    limit = max(2, min(GROUPS_PER_KIND, TOTAL_GROUPS // max(1, len(by_kind))))
    totals = {
        MISSED: Counter(_keys((one.sentence, one.sentence.spans) for one in predictions)),
        SPURIOUS: Counter(_keys((one.sentence, one.spans) for one in predictions)),
    }
    return Errors(
        sum(map(len, by_kind.values())),
        tuple(
            ErrorKind(kind, type_, len(errors), _groups(kind, errors, limit, totals.get(kind, {})))
            for (kind, type_), errors in _largest_first(by_kind)
        ),
    )


def _keys(sentences: Iterable[tuple[Sentence, Sequence[Span]]]) -> Iterator[tuple[str, str]]:
    """Yields the type and the words of each entity."""
    for sentence, spans in sentences:
        for span in spans:
            yield span.type, surface(sentence.tokens, span)


def _largest_first(groups: Mapping[_Key, list[_Error]]) -> list[tuple[_Key, list[_Error]]]:
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


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
    for label, members in _largest_first(by_label):
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
    return ErrorGroup(
        label=label,
        count=len(members),
        examples=tuple(
            make_example(error.prediction, error.index, error.pair.spans)
            for error in _select_examples(members, examples)
        ),
        total=total,
        words=dict(words.most_common(WORDS_PER_GROUP)),
    )


def _select_examples(members: Sequence[_Error], limit: int) -> list[_Error]:
    """The errors with the highest scores, without repeated sentences."""
    by_sentence: dict[tuple[str, ...], _Error] = {}
    for error in sorted(members, key=lambda error: (-error.score, error.index)):
        by_sentence.setdefault(error.tokens, error)
    return list(by_sentence.values())[:limit]


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
