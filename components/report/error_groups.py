"""The errors, grouped by what they have in common: the same words always missed, borders that go wrong alike, one type taken
for another, words that are no entity.

All are counted; examples are kept of the largest groups only, the surest errors first and no sentence twice in a group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from components.ner.novelty import surface
from components.ner.sentence import Span
from components.report.alignment import BORDERS, CORRECT, INVENTED, MISSED, Pair
from components.report.examples import example
from components.report.figures import ErrorGroup, ErrorKind, Errors
from components.report.predictions import Prediction

EXAMPLES = 3  # of a group
EXAMPLES_OF_REST = 6  # of the group of all others
GROUPS = 8  # of a kind and type, where there are few of these; beside them one for all others
ALL_GROUPS = 200  # in a report, about: more are not read, and make it slow
WORDS = 5


@dataclass(frozen=True, slots=True)
class _Error:
    """Where it is: the number of the sentence, and the pair there."""

    number: int
    pair: Pair


def errors(predictions: Sequence[Prediction], pairs: Sequence[Sequence[Pair]]) -> Errors:
    """The errors of predictions, each given with its pairs (`components.report.alignment`)."""
    by_kind: dict[tuple[str, str], list[_Error]] = defaultdict(list)
    for number, of_sentence in enumerate(pairs):
        for pair in of_sentence:
            if pair.kind != CORRECT:
                by_kind[pair.kind, pair.type].append(_Error(number, pair))
    largest_first = sorted(by_kind.items(), key=lambda item: (-len(item[1]), item[0]))
    groups = max(2, min(GROUPS, ALL_GROUPS // max(1, len(by_kind))))
    maker = _Groups(predictions, groups)
    return Errors(
        sum(map(len, by_kind.values())),
        tuple(
            ErrorKind(kind, type_, len(found), maker.of(kind, found))
            for (kind, type_), found in largest_first
        ),
    )


class _Groups:
    """Makes the groups of a kind; `groups` is the most of them."""

    def __init__(self, predictions: Sequence[Prediction], groups: int):
        self._predictions, self._most = predictions, groups
        self._gold = Counter(
            self._key(one, span) for one in predictions for span in one.sentence.spans
        )
        self._found = Counter(self._key(one, span) for one in predictions for span in one.spans)

    def of(self, kind: str, found: Sequence[_Error]) -> tuple[ErrorGroup, ...]:
        """The groups of errors of one kind and type, largest first, the rest in one at the end."""
        by_label: dict[str, list[_Error]] = defaultdict(list)
        for error in found:
            by_label[self._label(error)].append(error)
        largest_first = sorted(by_label.items(), key=lambda item: (-len(item[1]), item[0]))
        # Words that go wrong once have nothing in common with any other.
        alike = [
            item for item in largest_first if len(item[1]) > 1 or kind not in (MISSED, INVENTED)
        ]
        kept = alike[: self._most]
        labels = {label for label, _ in kept}
        rest = [
            error for label, members in largest_first if label not in labels for error in members
        ]
        groups = [self._group(kind, label, members) for label, members in kept]
        if rest:
            groups.append(self._group(kind, "", rest))
        return tuple(groups)

    def _group(self, kind: str, label: str, members: Sequence[_Error]) -> ErrorGroup:
        return ErrorGroup(
            label=label,
            count=len(members),
            examples=tuple(
                example(self._predictions[error.number], error.number, _spans(error.pair))
                for error in self._chosen(members, EXAMPLES if label else EXAMPLES_OF_REST)
            ),
            of=self._of(kind, members[0]) if label else None,
            words=dict(
                Counter(word for error in members for word in self._apart(error)).most_common(WORDS)
            )
            if kind == BORDERS
            else {},
        )

    def _label(self, error: _Error) -> str:
        pair = error.pair
        if pair.gold is None or pair.found is None:
            return self._words(error)
        if pair.kind == BORDERS:
            return borders(pair.gold, pair.found)
        return pair.found.type

    def _words(self, error: _Error) -> str:
        return surface(
            self._predictions[error.number].sentence.tokens, error.pair.gold or error.pair.found
        )

    def _of(self, kind: str, error: _Error) -> int | None:
        """How many entities with the same words and type there are: true ones for missed, found ones for invented."""
        counts = {MISSED: self._gold, INVENTED: self._found}.get(kind)
        return counts[error.pair.type, self._words(error)] if counts is not None else None

    def _apart(self, error: _Error) -> list[str]:
        """The words that one of the two entities has and the other has not."""
        gold, found = (set(range(span.start, span.end)) for span in _spans(error.pair))
        tokens = self._predictions[error.number].sentence.tokens
        return [tokens[place] for place in sorted(gold ^ found)]

    def _chosen(self, members: Sequence[_Error], most: int) -> list[_Error]:
        different: dict[tuple[str, ...], _Error] = {}
        for error in sorted(members, key=lambda error: (-self._score(error), error.number)):
            different.setdefault(self._predictions[error.number].sentence.tokens, error)
            if len(different) == most:
                break
        return list(different.values())

    def _score(self, error: _Error) -> float:
        prediction, span = self._predictions[error.number], error.pair.found
        return prediction.scores[prediction.spans.index(span)] if span else 0.0

    @staticmethod
    def _key(prediction: Prediction, span: Span) -> tuple[str, str]:
        return span.type, surface(prediction.sentence.tokens, span)


def borders(gold: Span, found: Span) -> str:
    """How the borders of a found entity differ from those of the true one.

    >>> borders(Span(1, 3, "PER"), Span(0, 2, "PER"))
    'starts too early, ends too early'
    """
    wrong = []
    for edge, true, at in (("starts", gold.start, found.start), ("ends", gold.end, found.end)):
        if at != true:
            wrong.append(f"{edge} too {'early' if at < true else 'late'}")
    return ", ".join(wrong)


def _spans(pair: Pair) -> list[Span]:
    return [span for span in (pair.gold, pair.found) if span]
