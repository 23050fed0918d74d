"""The content of the page's tables, cut to a readable size; totals stay exact."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest

from components.report.figures import (
    OUTSIDE,
    Confusion,
    Data,
    EarlierRun,
    ErrorGroup,
    ErrorKind,
    Evaluation,
    Thresholds,
    TypeFigures,
    Verdict,
)
from components.settings import flatten

HEAT_MAP_TYPES = 20
TOTAL_EXAMPLES = 300
GROUPS_PER_KIND = 12
OTHER_TYPES = "other types"
MAXIMUM_RUNS = 60  # in the chart of earlier runs


@dataclass(frozen=True)
class Cell:
    """A cell of the heat map."""

    count: int
    shade: int  # 0 to 9, by the share of the row
    right: bool  # on the diagonal


@dataclass(frozen=True)
class HeatMap:
    """The confusion matrix as a heat map."""

    labels: tuple[str, ...]  # predicted types
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]  # true type and its cells
    folded: int  # number of rare types that share one row and column


def heat(confusion: Confusion) -> HeatMap:
    """Shades the confusion matrix and combines the rarest types where there are many."""
    labels, counts = confusion.labels, confusion.counts
    types = [index for index, label in enumerate(labels) if label != OUTSIDE]
    outside = [index for index, label in enumerate(labels) if label == OUTSIDE]

    def size(index: int) -> int:
        return sum(counts[index]) + sum(row[index] for row in counts)

    kept = types
    if len(types) > HEAT_MAP_TYPES:
        kept = sorted(nlargest(HEAT_MAP_TYPES, types, key=size))
    folded = [index for index in types if index not in kept]
    groups = [[index] for index in kept] + ([folded] if folded else []) + [outside]
    names = [*(labels[index] for index in kept), *([OTHER_TYPES] if folded else []), OUTSIDE]
    rows = []
    for row_index, (name, gold) in enumerate(zip(names, groups)):
        row = [sum(counts[i][j] for i in gold for j in predicted) for predicted in groups]
        cells = tuple(
            Cell(count, _shade(count, sum(row)), column == row_index)
            for column, count in enumerate(row)
        )
        rows.append((name, cells))
    return HeatMap(tuple(names), tuple(rows), len(folded))


def _shade(part: int, whole: int) -> int:
    return min(9, max(1, 10 * part // whole)) if part else 0


@dataclass(frozen=True)
class ConfusedTypes:
    """Entities of one type that were predicted as another."""

    gold: str
    predicted: str
    count: int
    share: float  # of the entities of the true type


def confused_types(confusion: Confusion, limit: int = 10) -> list[ConfusedTypes]:
    """Returns the confusions between types, most frequent first."""
    pairs = [
        ConfusedTypes(gold, predicted, count, count / sum(row))
        for gold, row in zip(confusion.labels, confusion.counts)
        for predicted, count in zip(confusion.labels, row)
        if count and gold != predicted and OUTSIDE not in (gold, predicted)
    ]
    return nlargest(limit, pairs, key=lambda pair: pair.count)


@dataclass(frozen=True)
class ShownKind:
    """A kind of error with the groups on the page."""

    kind: ErrorKind
    groups: tuple[ErrorGroup, ...]  # with the examples on the page only
    hidden_groups: int
    hidden_errors: int  # in the hidden groups
    open: bool  # shown unfolded


@dataclass(frozen=True)
class TypeErrors:
    """The errors of a type."""

    type: str
    figures: TypeFigures | None  # None for a type that only occurs in predictions
    count: int
    kinds: tuple[ShownKind, ...]


def errors_by_type(evaluation: Evaluation) -> list[TypeErrors]:
    """Returns the errors of each type, the type with the most errors first.

    The page has TOTAL_EXAMPLES examples: the first of every group comes before the second of any
    group, and large groups come first.
    """
    kinds = evaluation.errors.kinds
    candidates = sorted(
        (example_index, -group.count, kind_index, group_index)
        for kind_index, kind in enumerate(kinds)
        for group_index, group in enumerate(kind.groups[:GROUPS_PER_KIND])
        for example_index in range(len(group.examples))
    )
    example_counts = Counter(candidate[2:] for candidate in candidates[:TOTAL_EXAMPLES])
    by_type: dict[str, list[ShownKind]] = {}
    for kind_index, kind in enumerate(kinds):
        hidden = kind.groups[GROUPS_PER_KIND:]
        groups = tuple(
            replace(group, examples=group.examples[: example_counts[kind_index, group_index]])
            for group_index, group in enumerate(kind.groups[:GROUPS_PER_KIND])
        )
        hidden_errors = sum(group.count for group in hidden)
        shown = ShownKind(kind, groups, len(hidden), hidden_errors, open=kind_index < 3)
        by_type.setdefault(kind.type, []).append(shown)
    known = {figures.type: figures for figures in evaluation.types}
    sections = []
    for type_name in {**by_type, **known}:
        shown_kinds = tuple(by_type.get(type_name, ()))
        count = sum(shown.kind.count for shown in shown_kinds)
        sections.append(TypeErrors(type_name, known.get(type_name), count, shown_kinds))
    return sorted(sections, key=lambda section: -section.count)


def runs(verdict: Verdict, evaluation: Evaluation) -> list[EarlierRun]:
    """Returns the newest runs, this run last."""
    this_run = EarlierRun(
        run=verdict.run,
        began=verdict.began,
        f1=evaluation.overall.f1,
        published=verdict.published is not None,
        evaluated_on=evaluation.split,
    )
    return [*verdict.history, this_run][-MAXIMUM_RUNS:]


def curves(thresholds: Thresholds) -> dict[str, object]:
    """Returns the data of the page's threshold slider.

    The curves are a list rather than an object, because a type may have any name.
    """
    return {
        "thresholds": [round(threshold, 4) for threshold in thresholds.thresholds],
        "curves": [
            {"support": curve.support, "predicted": curve.predicted, "correct": curve.correct}
            for curve in (thresholds.overall, *thresholds.per_type.values())
        ],
    }


def dotted_settings(settings: Mapping[str, object]) -> dict[str, str]:
    """Returns nested settings as dotted keys with their values as text."""
    return {key: _as_text(value) for key, value in flatten(settings).items()}


def _as_text(value: object) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)


def types_of(data: Data) -> list[str]:
    """Returns the types of all splits, most frequent first."""
    totals: Counter[str] = Counter()
    for split in data.splits:
        totals.update(split.types)
    return sorted(totals, key=lambda type_name: (-totals[type_name], type_name))
