"""Differences between the reports of two runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.report.figures import Figures, Interval, Score, TypeFigures
from components.report.page.sections import flatten

GROUP_LIMIT = 20
_SPLIT_FIGURES = ("sentences", "tokens", "entities", "documents", "longest")


@dataclass(frozen=True)
class Change:
    """A named value in both runs; None where a run does not have it."""

    name: str
    a: object
    b: object


@dataclass(frozen=True)
class TypeChange:
    """A type's figures in both runs; None where a run does not have the type."""

    type: str
    a: TypeFigures | None
    b: TypeFigures | None

    @property
    def difference(self) -> float | None:
        return self.b.score.f1 - self.a.score.f1 if self.a and self.b else None


@dataclass(frozen=True)
class GroupChange:
    """A group of errors with its count in each run."""

    kind: str
    type: str
    label: str
    a: int
    b: int


def same_evaluation_data(a: Figures, b: Figures) -> bool:
    """Whether both runs were evaluated on the same sentences, as far as the reports tell."""

    def key(figures: Figures) -> tuple:
        data = figures.card.evaluation_data
        return data.split, data.sentences, data.tokens, data.entities, data.hash

    return key(a) == key(b)


def types(a: Figures, b: Figures) -> list[TypeChange]:
    """Returns the types of both runs by name."""
    left = {figures.type: figures for figures in a.evaluation.types}
    right = {figures.type: figures for figures in b.evaluation.types}
    return [TypeChange(name, left.get(name), right.get(name)) for name in sorted({*left, *right})]


def largest(changes: list[TypeChange]) -> float:
    """Returns the largest absolute difference, for the scale of the bars."""
    return max(
        (abs(change.difference) for change in changes if change.difference is not None), default=0.0
    )


def overlapping(a: Interval, b: Interval) -> bool:
    """Whether two intervals overlap."""
    return a.low <= b.high and b.low <= a.high


def groups(a: Figures, b: Figures) -> tuple[list[GroupChange], list[GroupChange]]:
    """Returns the groups of errors with fewer and with more errors in `b`, largest changes first.

    Errors outside the named groups are left out.
    """
    left, right = _counts(a), _counts(b)
    changes = [GroupChange(*key, left.get(key, 0), right.get(key, 0)) for key in {**left, **right}]
    changes.sort(
        key=lambda change: (-abs(change.b - change.a), change.type, change.kind, change.label)
    )
    fewer = [change for change in changes if change.b < change.a]
    more = [change for change in changes if change.b > change.a]
    return fewer[:GROUP_LIMIT], more[:GROUP_LIMIT]


def _counts(figures: Figures) -> dict[tuple[str, str, str], int]:
    return {
        (kind.kind, kind.type, group.label): group.count
        for kind in figures.evaluation.errors.kinds
        for group in kind.groups
        if group.label
    }


def outcomes(a: Figures, b: Figures) -> list[Change]:
    """Returns the outcomes of the entities in both runs."""
    left, right = a.evaluation.outcomes, b.evaluation.outcomes
    names = (
        "correct",
        "missed",
        "spurious",
        "wrong_boundary",
        "wrong_type",
        "wrong_boundary_and_type",
    )
    return [
        Change(name.replace("_", " "), getattr(left, name), getattr(right, name)) for name in names
    ]


def slices(a: Figures, b: Figures) -> list[tuple[str, Score | None, Score | None]]:
    """Returns the subsets of the evaluated entities with their scores in both runs."""
    rows = []
    for name in ("novelty", "case", "entity_length", "sentence_length"):
        left = {subset.name: subset.score for subset in getattr(a.evaluation.slices, name)}
        right = {subset.name: subset.score for subset in getattr(b.evaluation.slices, name)}
        title = name.replace("_", " ")
        rows += [
            (f"{title}: {subset}", left.get(subset), right.get(subset))
            for subset in {**left, **right}
        ]
    return rows


def settings(a: Figures, b: Figures) -> list[Change]:
    """Returns the differences in configuration, packages and hashes."""
    return [
        *_differences(
            dict(flatten(a.provenance.configuration)), dict(flatten(b.provenance.configuration))
        ),
        *_differences(a.provenance.versions, b.provenance.versions),
        *_differences(a.provenance.hashes, b.provenance.hashes),
    ]


def data(a: Figures, b: Figures) -> list[Change]:
    """Returns the differences between the corpora: sizes of splits, and types in them."""
    return _differences(_data(a), _data(b))


def _data(figures: Figures) -> dict[str, object]:
    values: dict[str, object] = {
        "corpus": figures.verdict.corpus,
        "evaluated on": figures.evaluation.split,
    }
    if figures.data.spans:
        values["spans"] = ", ".join(
            f"{span.number} (version {span.version})" for span in figures.data.spans
        )
    for split in figures.data.splits:
        values |= {f"{split.name}: {name}": getattr(split, name) for name in _SPLIT_FIGURES}
        values |= {f"{split.name}: {type_}": count for type_, count in split.types.items()}
    return values


def _differences(a: Mapping[str, object], b: Mapping[str, object]) -> list[Change]:
    return [
        Change(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)
    ]
