"""Entity scores as CoNLL counts them: an entity is correct if its span and its type are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from components.ner.sentence import Span


@dataclass(frozen=True, slots=True)
class PRF:
    """Counts of entities, which add up over sentences and types, and the scores that follow.

    >>> counts = PRF(tp=1, fp=1) + PRF(tp=1, fn=2)
    >>> counts.precision, counts.recall, counts.support
    (0.6666666666666666, 0.5, 4)
    """

    tp: int = 0  # true positives: predicted correctly
    fp: int = 0  # false positives: predicted wrongly
    fn: int = 0  # false negatives: missed

    def __add__(self, other: PRF) -> PRF:
        return PRF(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """The share of the predicted entities that are correct; 0 without predictions."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """The share of the true entities that were predicted; 0 without true entities."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 if both are 0."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def support(self) -> int:
        """The number of true entities."""
        return self.tp + self.fn

    def as_dict(self) -> dict[str, float | int]:
        """Scores from 0 to 1, and the support."""
        return {name: getattr(self, name) for name in ("precision", "recall", "f1", "support")}


@dataclass(frozen=True, slots=True)
class CorpusScores:
    """The counts of a corpus by type, its size, and the seconds that prediction took."""

    per_type: Mapping[str, PRF] = field(default_factory=dict)
    sentences: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def overall(self) -> PRF:
        """The counts of all types (the micro average)."""
        return sum(self.per_type.values(), PRF())

    def __add__(self, other: CorpusScores) -> CorpusScores:
        return CorpusScores(
            add_counts(self.per_type, other.per_type),
            self.sentences + other.sentences,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )

    def as_dict(self) -> dict[str, object]:
        """The JSON of `tfx-ner evaluate --json`."""
        return {
            "overall": self.overall.as_dict(),
            "per_type": {name: counts.as_dict() for name, counts in sorted(self.per_type.items())},
            "sentences": self.sentences,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }


def add_counts(left: Mapping[str, PRF], right: Mapping[str, PRF]) -> dict[str, PRF]:
    """Adds counts by type."""
    types = sorted({*left, *right})
    return {name: left.get(name, PRF()) + right.get(name, PRF()) for name in types}


def score(gold: Iterable[Span], predicted: Iterable[Span]) -> dict[str, PRF]:
    """The counts of one sentence, for each type that occurs in it."""
    return score_all([(gold, predicted)])


def score_all(sentences: Iterable[tuple[Iterable[Span], Iterable[Span]]]) -> dict[str, PRF]:
    """The counts by type of many sentences, each given as its true and its predicted spans."""
    correct: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for gold, predicted in sentences:
        gold, predicted = set(gold), set(predicted)
        correct.update(span.type for span in gold & predicted)
        wrong.update(span.type for span in predicted - gold)
        missed.update(span.type for span in gold - predicted)
    return {
        name: PRF(correct[name], wrong[name], missed[name])
        for name in sorted({*correct, *wrong, *missed})
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
