"""What the page's tables show, from a report's figures: cut where there is too much, never in the totals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest

from components.report.figures import (
    OUTSIDE,
    Confusion,
    Data,
    ErrorGroup,
    ErrorKind,
    Evaluation,
    Example,
    Thresholds,
    TypeFigures,
)  # fmt: skip

MOST_TYPES_IN_HEAT = 20
MOST_EXAMPLES = 300
MOST_GROUPS = 12
OTHERS = "other types"
_DEEP = 7  # from this shade on what stands on it is light


@dataclass(frozen=True)
class Cell:
    """A number in the heat map and its shade, 0 to 9, by its share of the row."""

    count: int
    shade: int
    right: bool

    @property
    def deep(self) -> bool:
        return self.shade >= _DEEP


@dataclass(frozen=True)
class Heat:
    """The heat map: rows are true types, columns found ones; `folded` types, the rarest, are one row and column."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    folded: int


def heat(confusion: Confusion) -> Heat:
    """The confusion matrix, shaded, with the rarest types folded into one where there are many."""
    labels, counts = confusion.labels, [list(row) for row in confusion.counts]
    types = [place for place, label in enumerate(labels) if label != OUTSIDE]
    outside = [place for place, label in enumerate(labels) if label == OUTSIDE]

    def size(place: int) -> int:
        return sum(counts[place]) + sum(row[place] for row in counts)

    kept = (
        sorted(nlargest(MOST_TYPES_IN_HEAT, types, key=size))
        if len(types) > MOST_TYPES_IN_HEAT
        else types
    )
    folded = [place for place in types if place not in kept]
    groups = [[place] for place in kept] + ([folded] if folded else []) + [outside]
    names = [*(labels[place] for place in kept), *([OTHERS] if folded else []), OUTSIDE]
    cells = [
        [sum(counts[i][j] for i in gold for j in found) for found in groups] for gold in groups
    ]
    rows = tuple(
        (
            name,
            tuple(
                Cell(count, _shade(count, sum(row)), across == down)
                for across, count in enumerate(row)
            ),
        )
        for down, (name, row) in enumerate(zip(names, cells))
    )
    return Heat(tuple(names), rows, len(folded))


def _shade(part: int, whole: int) -> int:
    return min(9, max(1, 10 * part // whole)) if part else 0


@dataclass(frozen=True)
class Mistaken:
    """How often one label is taken for another."""

    gold: str
    found: str
    count: int
    share: float


def mistaken(confusion: Confusion, most: int = 10) -> list[Mistaken]:
    """The types taken for one another, most frequent first; shares are of the true type's entities."""
    pairs = [
        Mistaken(gold, found, count, count / sum(row))
        for gold, row in zip(confusion.labels, confusion.counts)
        for found, count in zip(confusion.labels, row)
        if count and gold != found and OUTSIDE not in (gold, found)
    ]
    return nlargest(most, pairs, key=lambda pair: pair.count)


@dataclass(frozen=True)
class ShownGroup:
    """A group of errors with the examples there is room for."""

    group: ErrorGroup
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class ShownKind:
    """A kind of error with its largest groups; `more` are left out, with `more_errors` in them."""

    kind: ErrorKind
    groups: tuple[ShownGroup, ...]
    more: int
    more_errors: int
    open: bool


@dataclass(frozen=True)
class TypeErrors:
    """The errors of a type; `figures` is None for a type that is found but that nobody knows."""

    type: str
    figures: TypeFigures | None
    count: int
    kinds: tuple[ShownKind, ...]


def errors_by_type(evaluation: Evaluation) -> list[TypeErrors]:
    """A section for each type, the one with the most errors first; types without errors follow.

    The page has room for MOST_EXAMPLES examples: every group's first comes before any group's second, large groups first.
    """
    kinds = evaluation.errors.kinds
    shown = [
        (place, number, group)
        for place, kind in enumerate(kinds)
        for number, group in enumerate(kind.groups[:MOST_GROUPS])
    ]
    wanted = sorted(
        (rank, -group.count, place, number)
        for place, number, group in shown
        for rank in range(len(group.examples))
    )
    room: dict[tuple[int, int], int] = {}
    for _, _, place, number in wanted[:MOST_EXAMPLES]:
        room[place, number] = room.get((place, number), 0) + 1
    by_type: dict[str, list[ShownKind]] = {}
    for place, kind in enumerate(kinds):
        left_out = kind.groups[MOST_GROUPS:]
        groups = tuple(
            ShownGroup(group, group.examples[: room.get((place, number), 0)])
            for number, group in enumerate(kind.groups[:MOST_GROUPS])
        )
        by_type.setdefault(kind.type, []).append(
            ShownKind(
                kind, groups, len(left_out), sum(group.count for group in left_out), open=place < 3
            )
        )
    known = {one.type: one for one in evaluation.types}
    sections = [
        TypeErrors(
            type_,
            known.get(type_),
            sum(one.kind.count for one in by_type.get(type_, [])),
            tuple(by_type.get(type_, [])),
        )
        for type_ in {**dict.fromkeys(by_type), **dict.fromkeys(known)}
    ]
    return sorted(sections, key=lambda one: -one.count)


def curves(thresholds: Thresholds) -> dict[str, object]:
    """What the threshold's script needs; a list, since a type may be called anything."""
    every = [("all types", thresholds.overall), *thresholds.per_type.items()]
    return {
        "thresholds": [round(one, 4) for one in thresholds.thresholds],
        "curves": [
            {"support": curve.support, "found": curve.found, "right": curve.right}
            for _, curve in every
        ],
    }


def flat(settings: Mapping[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    """Settings as keys with dots, and values as text."""
    for name, value in settings.items():
        key = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{key}.")
        else:
            yield key, _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "" if value == {} else str(value)


def types_of(data: Data) -> list[str]:
    """Every type of any split, the most frequent first."""
    totals: dict[str, int] = {}
    for split in data.splits:
        for type_, count in split.types.items():
            totals[type_] = totals.get(type_, 0) + count
    return sorted(totals, key=lambda type_: (-totals[type_], type_))
