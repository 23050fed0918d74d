"""The content of the report's page: highlights, tables and example sentences.

Tables are cut to a readable size; totals stay exact.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import groupby

from components.report.figures import (
    BOUNDARY,
    BOUNDARY_AND_TYPE,
    MISSED,
    OUTSIDE,
    SPURIOUS,
    WRONG_TYPE,
    Confusion,
    Data,
    EarlierRun,
    ErrorGroup,
    ErrorKind,
    Errors,
    Evaluation,
    Example,
    ExampleEntity,
    Figures,
    Thresholds,
    TypeFigures,
    Verdict,
)
from components.settings import flatten

KIND_NAMES = {
    MISSED: "missed",
    BOUNDARY: "wrong boundary",
    WRONG_TYPE: "wrong type",
    BOUNDARY_AND_TYPE: "wrong boundary and type",
    SPURIOUS: "spurious",
}

# Sizes
MAXIMUM_HIGHLIGHTS = 8
HEAT_MAP_TYPES = 20
TOTAL_EXAMPLES = 300
GROUPS_PER_KIND = 12
MAXIMUM_RUNS = 60  # in the chart of earlier runs
LONGEST_TOKEN = 80

OTHER_TYPES = "other types"

# Smaller differences may well be chance: they are no highlights.
_MINIMUM_SUPPORT = 20
_RECALL_GAP = 0.1
_CALIBRATION_ERROR = 0.05
_F1_GAIN = 0.005
_OVERLAP = 0.01

# Characters that change the direction of the following text are shown as their code points.
_DIRECTION_CONTROLS = {
    code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


@dataclass(frozen=True)
class Highlight:
    """A sentence about the figures."""

    text: str
    section: str  # id of the section with the details


def highlights(figures: Figures) -> tuple[Highlight, ...]:
    """Returns at most `MAXIMUM_HIGHLIGHTS` highlights, the most important first."""
    evaluation = figures.evaluation
    every = (
        *_error_highlights(evaluation.errors),
        *_slice_highlights(evaluation),
        *_data_highlights(figures),
        *_score_highlights(evaluation),
        *_label_highlights(evaluation),
    )
    return every[:MAXIMUM_HIGHLIGHTS]


def _error_highlights(errors: Errors) -> Iterator[Highlight]:
    if not errors.count:
        return
    by_type: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    for kind in errors.kinds:
        by_type[kind.type] += kind.count
        by_kind[kind.kind] += kind.count
    [(kind_name, count)] = by_kind.most_common(1)
    share = _share(count, errors.count)
    yield Highlight(f"The most frequent error is “{KIND_NAMES[kind_name]}”: {share}.", "errors")
    if len(by_type) > 2:
        [(type_name, count)] = by_type.most_common(1)
        share = _share(count, errors.count)
        yield Highlight(f"The type with the most errors is {type_name}: {share}.", "errors")
    for group, type_name in _largest_group(errors, MISSED):
        times = f"{group.count:,} of {group.total:,}" if group.total else f"{group.count:,}"
        yield Highlight(f"“{group.label}” ({type_name}) is missed {times} times.", "errors")
    for group, type_name in _largest_group(errors, WRONG_TYPE):
        yield Highlight(
            f"{type_name} is predicted as {group.label} {group.count:,} times.", "confusion"
        )


def _largest_group(errors: Errors, kind_name: str) -> list[tuple[ErrorGroup, str]]:
    """The largest named group of a kind of error and its type, if it has more than two errors."""
    groups = [
        (group, kind.type)
        for kind in errors.kinds
        if kind.kind == kind_name
        for group in kind.groups
        if group.label and group.count > 2
    ]
    return nlargest(1, groups, key=lambda pair: pair[0].count)


def _slice_highlights(evaluation: Evaluation) -> Iterator[Highlight]:
    slices = evaluation.slices
    for subsets in (slices.novelty, slices.case, slices.entity_length):
        large = [subset for subset in subsets if subset.score.support >= _MINIMUM_SUPPORT]
        if not large:
            continue
        by_recall = sorted(large, key=lambda subset: subset.score.recall)
        worst, best = by_recall[0], by_recall[-1]
        if best.score.recall - worst.score.recall >= _RECALL_GAP:
            share = _share(worst.score.support, evaluation.overall.support)
            yield Highlight(
                f"Recall is {worst.score.recall:.2f} for entities “{worst.name}” ({share}), but"
                f" {best.score.recall:.2f} for “{best.name}”.",
                "slices",
            )


def _data_highlights(figures: Figures) -> Iterator[Highlight]:
    evaluated = figures.evaluation.split
    for overlap in figures.data.overlaps:
        if overlap.right == evaluated and overlap.sentence_share >= _OVERLAP:
            yield Highlight(
                f"{overlap.sentence_share:.0%} of the sentences of {evaluated} also occur in"
                f" {overlap.left}: the scores are better than they will be on new text.",
                "data",
            )
    train_types = {split.name: split.types for split in figures.data.splits}.get("train", {})
    untrained = [
        type_.type
        for type_ in figures.evaluation.types
        if type_.score.support and train_types and not train_types.get(type_.type)
    ]
    if untrained:
        yield Highlight(
            f"{evaluated} has types that do not occur in train: {', '.join(untrained[:5])}.", "data"
        )
    if figures.data.anomalies:
        anomalies = many(len(figures.data.anomalies), "anomaly", "anomalies")
        yield Highlight(f"TensorFlow Data Validation reports {anomalies}.", "data")


def _score_highlights(evaluation: Evaluation) -> Iterator[Highlight]:
    reliability = evaluation.reliability
    if reliability.bins and reliability.exceeds(_CALIBRATION_ERROR):
        bins = reliability.bins
        gap = sum(bin_.count * (bin_.confidence - bin_.accuracy) for bin_ in bins)
        gap /= sum(bin_.count for bin_ in bins)
        direction = "higher" if gap > 0 else "lower"
        if abs(gap) <= reliability.error / 2:
            direction = "higher for some entities and lower for others"
        yield Highlight(
            f"Scores are {direction} than the share of correct predictions; the calibration error"
            f" is {reliability.error:.2f}.",
            "scores",
        )
    thresholds = evaluation.thresholds
    if thresholds.thresholds:
        best = thresholds.overall.scores[thresholds.best]
        if best.f1 - evaluation.overall.f1 >= _F1_GAIN:
            yield Highlight(
                "Keeping only predictions with a score of at least"
                f" {thresholds.thresholds[thresholds.best]:.2f} would give F1 {best.f1:.3f} here.",
                "threshold",
            )


def _label_highlights(evaluation: Evaluation) -> Iterator[Highlight]:
    suspects = evaluation.suspects
    if suspects.conflict_count:
        names = many(suspects.conflict_count, "name has", "names have")
        yield Highlight(
            f"{names} several labels in train; check whether that is intended.", "suspects"
        )
    if suspects.disagreement_count:
        predictions = many(suspects.disagreement_count, "confident prediction")
        verb = "contradicts" if suspects.disagreement_count == 1 else "contradict"
        yield Highlight(
            f"{predictions} {verb} the labels of {evaluation.split}; check the labels.", "suspects"
        )
    rare = [type_.type for type_ in evaluation.types if 0 < type_.score.support < _MINIMUM_SUPPORT]
    if rare:
        names = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
        yield Highlight(
            f"{evaluation.split} has fewer than {_MINIMUM_SUPPORT} entities of {names}: their"
            " scores are mostly chance.",
            "types",
        )


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.0%})" if whole else f"{part:,}"


def many(number: int, singular: str, plural: str = "") -> str:
    """Formats a count with its noun.

    >>> many(1, "sentence"), many(1200, "entity", "entities")
    ('1 sentence', '1,200 entities')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


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
    *types, outside = range(len(labels))

    def size(index: int) -> int:
        return sum(counts[index]) + sum(row[index] for row in counts)

    kept = sorted(nlargest(HEAT_MAP_TYPES, types, key=size))
    folded = [index for index in types if index not in kept]
    groups = [(labels[index], [index]) for index in kept]
    if folded:
        groups.append((OTHER_TYPES, folded))
    groups.append((OUTSIDE, [outside]))
    rows = []
    for row_index, (name, gold) in enumerate(groups):
        row = [sum(counts[i][j] for i in gold for j in predicted) for _, predicted in groups]
        cells = tuple(
            Cell(count, _shade(count, sum(row)), column == row_index)
            for column, count in enumerate(row)
        )
        rows.append((name, cells))
    return HeatMap(tuple(name for name, _ in groups), tuple(rows), len(folded))


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


# Example sentences

_Entities = tuple[ExampleEntity | None, ExampleEntity | None]  # true and predicted, of a token
_OUTSIDE = (None, None)


@dataclass(frozen=True)
class Piece:
    """Text within the same true entity and the same predicted entity."""

    text: str
    gold: ExampleEntity | None = None
    predicted: ExampleEntity | None = None


@dataclass(frozen=True)
class Region:
    """Overlapping entities, divided into pieces at every boundary."""

    pieces: tuple[Piece, ...]
    gold: tuple[ExampleEntity, ...]
    predicted: tuple[ExampleEntity, ...]
    is_subject: bool  # the example was chosen because of these entities

    @property
    def is_correct(self) -> bool:
        """Whether the predicted entities equal the true ones."""
        return self.gold == tuple(replace(entity, score=None) for entity in self.predicted)


def parts(example: Example) -> Iterator[str | Region]:
    """Yields a sentence in order: text outside all entities, and regions.

    The true entities must be disjoint, and so must the predicted ones.
    """
    tokens = [cut(token, LONGEST_TOKEN).translate(_DIRECTION_CONTROLS) for token in example.tokens]
    entities = [
        (_entity_at(example.gold, index), _entity_at(example.predicted, index))
        for index in range(len(tokens))
    ]
    start = 0
    for end in range(1, len(tokens) + 1):
        if end < len(tokens) and _is_connected(entities[end - 1], entities[end]):
            continue
        if entities[start] == _OUTSIDE:
            yield " ".join(tokens[start:end])
        else:
            gold, predicted = (
                tuple(dict.fromkeys(filter(None, column))) for column in zip(*entities[start:end])
            )
            yield Region(
                pieces=tuple(_pieces(tokens[start:end], entities[start:end])),
                gold=gold,
                predicted=predicted,
                is_subject=start < example.end and example.start < end,
            )
        start = end


def _is_connected(left: _Entities, right: _Entities) -> bool:
    """Whether neighbouring tokens are in the same entity, or both outside all entities."""
    return left == right or _shared(left, right) != _OUTSIDE


def _shared(left: _Entities, right: _Entities) -> _Entities:
    """The true and the predicted entity that two tokens have in common."""
    gold, predicted = (mine if mine == theirs else None for mine, theirs in zip(left, right))
    return gold, predicted


def _pieces(tokens: Sequence[str], entities: Sequence[_Entities]) -> Iterator[Piece]:
    """Yields the pieces of a region; a space belongs to the entities that continue across it."""
    previous = None
    for (gold, predicted), group in groupby(range(len(tokens)), key=entities.__getitem__):
        if previous:
            yield Piece(" ", *_shared(previous, (gold, predicted)))
        yield Piece(" ".join(tokens[index] for index in group), gold, predicted)
        previous = gold, predicted


def _entity_at(entities: Sequence[ExampleEntity], token: int) -> ExampleEntity | None:
    return next((entity for entity in entities if entity.start <= token < entity.end), None)


def cut(text: str, limit: int) -> str:
    """Shortens a text to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
