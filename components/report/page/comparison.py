"""Differences between the reports of two runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from components.report.figures import Figures
from components.report.page.sections import dotted_settings

GROUP_LIMIT = 20
_OUTCOMES = "correct missed spurious wrong_boundary wrong_type wrong_boundary_and_type"
_SPLIT_FIGURES = ("sentences", "tokens", "entities", "documents", "longest")


@dataclass(frozen=True)
class Change:
    """A value in both runs; None where a run does not have it."""

    name: Any
    a: Any
    b: Any

    @property
    def f1_difference(self) -> float | None:
        """F1 in `b` minus F1 in `a`; None if a run does not have the type or subset."""
        return self.b.score.f1 - self.a.score.f1 if self.a and self.b else None


def _pairs(a: Mapping[Any, Any], b: Mapping[Any, Any], missing: Any = None) -> list[Change]:
    return [Change(name, a.get(name, missing), b.get(name, missing)) for name in {**a, **b}]


def _differences(a: Mapping[str, object], b: Mapping[str, object]) -> list[Change]:
    return [change for change in _pairs(a, b) if change.a != change.b]


def same_evaluation_data(a: Figures, b: Figures) -> bool:
    """Whether both runs were evaluated on the same sentences, as far as the reports tell."""
    left, right = a.card.evaluation_data, b.card.evaluation_data
    return replace(left, name=right.name) == right


def types(a: Figures, b: Figures) -> list[Change]:
    """Returns the figures of the types in both runs, by name."""
    left, right = ({type_.type: type_ for type_ in run.evaluation.types} for run in (a, b))
    return sorted(_pairs(left, right), key=lambda change: change.name)


def groups(a: Figures, b: Figures) -> tuple[list[Change], list[Change]]:
    """Returns the groups of errors with fewer and with more errors in `b`, largest changes first.

    A change has the counts, and as its name the type, kind and label of the group. Errors outside
    the named groups are left out.
    """
    changes = _pairs(_group_counts(a), _group_counts(b), missing=0)
    changes.sort(key=lambda change: (-abs(change.b - change.a), change.name))
    fewer = [change for change in changes if change.b < change.a]
    more = [change for change in changes if change.b > change.a]
    return fewer[:GROUP_LIMIT], more[:GROUP_LIMIT]


def _group_counts(run: Figures) -> dict[tuple[str, str, str], int]:
    return {
        (kind.type, kind.kind, group.label): group.count
        for kind in run.evaluation.errors.kinds
        for group in kind.groups
        if group.label
    }


def outcomes(a: Figures, b: Figures) -> list[Change]:
    """Returns the counts of the outcomes in both runs."""
    left, right = a.evaluation.outcomes, b.evaluation.outcomes
    return [
        Change(name.replace("_", " "), getattr(left, name), getattr(right, name))
        for name in _OUTCOMES.split()
    ]


def slices(a: Figures, b: Figures) -> list[Change]:
    """Returns the subsets of the entities and sentences in both runs."""
    left, right = (
        {
            f"{name.replace('_', ' ')}: {subset.name}": subset
            for name, subsets in vars(run.evaluation.slices).items()
            for subset in subsets
        }
        for run in (a, b)
    )
    return _pairs(left, right)


def settings(a: Figures, b: Figures) -> list[Change]:
    """Returns the differences in configuration, packages and hashes."""
    left, right = a.provenance, b.provenance
    return [
        *_differences(dotted_settings(left.configuration), dotted_settings(right.configuration)),
        *_differences(left.versions, right.versions),
        *_differences(left.hashes, right.hashes),
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
