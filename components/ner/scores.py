"""Entity scores as CoNLL counts them: an entity is right if its span and its type are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from components.ner.sentence import Span


@dataclass(frozen=True, slots=True)
class PRF:
    """Counts of entities: rightly found, wrongly found, missed. They add up over sentences, and over types."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: PRF) -> PRF:
        return PRF(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """The share of the found entities that are right, 0 if none was found."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """The share of the true entities that were found, 0 if there are none."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0 if both are."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def support(self) -> int:
        """The number of true entities."""
        return self.tp + self.fn

    def as_dict(self) -> dict[str, float | int]:
        """Scores from 0 to 1, and the support."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.support,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The counts per type over `sentences` sentences of `tokens` tokens, and the seconds it took to predict them."""

    per_type: Mapping[str, PRF] = field(default_factory=dict)
    sentences: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def overall(self) -> PRF:
        """All types together (the micro average)."""
        return sum(self.per_type.values(), PRF())

    def __add__(self, other: Report) -> Report:
        types = sorted({*self.per_type, *other.per_type})
        return Report(
            {
                type_: self.per_type.get(type_, PRF()) + other.per_type.get(type_, PRF())
                for type_ in types
            },
            self.sentences + other.sentences,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )

    def as_dict(self) -> dict[str, object]:
        """What `evaluate --json` writes."""
        return {
            "overall": self.overall.as_dict(),
            "per_type": {
                type_: counts.as_dict() for type_, counts in sorted(self.per_type.items())
            },
            "sentences": self.sentences,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }


def score(gold: Iterable[Span], predicted: Iterable[Span]) -> dict[str, PRF]:
    """The counts of one sentence, for each type that occurs in it."""
    return score_all([(gold, predicted)])


def score_all(sentences: Iterable[tuple[Iterable[Span], Iterable[Span]]]) -> dict[str, PRF]:
    """The counts of many sentences, each given as its true and its predicted spans."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for gold, predicted in sentences:
        gold, predicted = set(gold), set(predicted)
        right.update(span.type for span in gold & predicted)
        wrong.update(span.type for span in predicted - gold)
        missed.update(span.type for span in gold - predicted)
    return {
        type_: PRF(right[type_], wrong[type_], missed[type_])
        for type_ in sorted({*right, *wrong, *missed})
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
