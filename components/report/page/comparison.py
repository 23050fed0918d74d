"""What differs between two runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.report.figures import Figures, Interval, Score, TypeFigures
from components.report.page.sections import flat

MOST_GROUPS = 20
_SPLIT_FIGURES = ("sentences", "tokens", "entities", "documents", "longest")


@dataclass(frozen=True)
class Change:
    """A thing by its name, in one run and in the other; None where it is not there."""

    name: str
    a: object
    b: object


@dataclass(frozen=True)
class TypeChange:
    """A type's score in both runs, None where a run does not know the type."""

    type: str
    a: TypeFigures | None
    b: TypeFigures | None

    @property
    def difference(self) -> float | None:
        return self.b.score.f1 - self.a.score.f1 if self.a and self.b else None


@dataclass(frozen=True)
class GroupChange:
    """A group of errors, and how many there are in each run."""

    kind: str
    type: str
    label: str
    a: int
    b: int


def same_ground(a: Figures, b: Figures) -> bool:
    """Whether both were measured on the same sentences, as far as the reports can tell."""

    def ground(figures: Figures) -> tuple:
        data = figures.card.evaluation_data
        return data.split, data.sentences, data.tokens, data.entities, data.hash

    return ground(a) == ground(b)


def types(a: Figures, b: Figures) -> list[TypeChange]:
    """Every type of either run, by name."""
    left = {one.type: one for one in a.evaluation.types}
    right = {one.type: one for one in b.evaluation.types}
    return [TypeChange(name, left.get(name), right.get(name)) for name in sorted({*left, *right})]


def largest(changes: list[TypeChange]) -> float:
    """The largest difference, for the scale of the bars."""
    return max(
        (abs(change.difference) for change in changes if change.difference is not None), default=0.0
    )


def overlapping(a: Interval, b: Interval) -> bool:
    """Whether two intervals have a value in common."""
    return a.low <= b.high and b.low <= a.high


def groups(a: Figures, b: Figures) -> tuple[list[GroupChange], list[GroupChange]]:
    """The groups of errors that there are fewer of in `b`, and those there are more of; the largest changes first.

    Groups too small to be named in a report ("all others") are left out.
    """
    left, right = _counts(a), _counts(b)
    changes = [GroupChange(*key, left.get(key, 0), right.get(key, 0)) for key in {**left, **right}]
    changes.sort(
        key=lambda change: (-abs(change.b - change.a), change.type, change.kind, change.label)
    )
    fewer = [change for change in changes if change.b < change.a]
    more = [change for change in changes if change.b > change.a]
    return fewer[:MOST_GROUPS], more[:MOST_GROUPS]


def _counts(figures: Figures) -> dict[tuple[str, str, str], int]:
    return {
        (kind.kind, kind.type, group.label): group.count
        for kind in figures.evaluation.errors.kinds
        for group in kind.groups
        if group.label
    }


def outcomes(a: Figures, b: Figures) -> list[Change]:
    """What became of the entities, in both runs."""
    left, right = a.evaluation.outcomes, b.evaluation.outcomes
    names = ("correct", "missed", "invented", "wrong_borders", "wrong_type", "wrong_both")
    return [
        Change(name.replace("_", " "), getattr(left, name), getattr(right, name)) for name in names
    ]


def slices(a: Figures, b: Figures) -> list[tuple[str, Score | None, Score | None]]:
    """The parts of the evaluated entities, with their scores in both runs."""
    rows = []
    for name in ("novelty", "case", "entity_length", "sentence_length"):
        left = {one.name: one.score for one in getattr(a.evaluation.slices, name)}
        right = {one.name: one.score for one in getattr(b.evaluation.slices, name)}
        title = name.replace("_", " ")
        rows += [
            (f"{title}: {part}", left.get(part), right.get(part)) for part in {**left, **right}
        ]
    return rows


def settings(a: Figures, b: Figures) -> list[Change]:
    """What is not the same in the configuration, the packages and the hashes."""
    return [
        *_differences(
            dict(flat(a.provenance.configuration)), dict(flat(b.provenance.configuration))
        ),
        *_differences(a.provenance.versions, b.provenance.versions),
        *_differences(a.provenance.hashes, b.provenance.hashes),
    ]


def data(a: Figures, b: Figures) -> list[Change]:
    """What is not the same in the corpora: sizes of splits, and types in them."""
    return _differences(_data(a), _data(b))


def _data(figures: Figures) -> dict[str, object]:
    found: dict[str, object] = {
        "corpus": figures.verdict.corpus,
        "evaluated on": figures.evaluation.split,
    }
    if figures.data.spans:
        found["spans"] = ", ".join(
            f"{one.number} (version {one.version})" for one in figures.data.spans
        )
    for split in figures.data.splits:
        found |= {f"{split.name}: {name}": getattr(split, name) for name in _SPLIT_FIGURES}
        found |= {f"{split.name}: {type_}": count for type_, count in split.types.items()}
    return found


def _differences(a: Mapping[str, object], b: Mapping[str, object]) -> list[Change]:
    return [
        Change(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)
    ]
