"""The highlights of a report: sentences about what a reader should look at first."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest

from components.report.figures import (
    BOUNDARY,
    BOUNDARY_AND_TYPE,
    MISSED,
    SPURIOUS,
    WRONG_TYPE,
    ErrorGroup,
    Errors,
    Evaluation,
    Figures,
)
from components.report.page.wording import many

LIMIT = 8
KIND_NAMES = {
    MISSED: "missed",
    BOUNDARY: "wrong boundary",
    WRONG_TYPE: "wrong type",
    BOUNDARY_AND_TYPE: "wrong boundary and type",
    SPURIOUS: "spurious",
}

# Smaller differences may well be chance.
_MINIMUM_SUPPORT = 20
_RECALL_GAP = 0.1
_CALIBRATION_ERROR = 0.05
_F1_GAIN = 0.005
_OVERLAP = 0.01


@dataclass(frozen=True)
class Highlight:
    """A sentence about the figures."""

    text: str
    section: str  # id of the section with the details


def highlights(figures: Figures) -> tuple[Highlight, ...]:
    """Returns at most `LIMIT` highlights, the most important first."""
    evaluation = figures.evaluation
    every = [
        *_errors(evaluation.errors),
        *_slices(evaluation),
        *_data(figures),
        *_scores(evaluation),
        *_labels(evaluation),
    ]
    return tuple(every[:LIMIT])


def _errors(errors: Errors) -> Iterator[Highlight]:
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


def _slices(evaluation: Evaluation) -> Iterator[Highlight]:
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


def _data(figures: Figures) -> Iterator[Highlight]:
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


def _scores(evaluation: Evaluation) -> Iterator[Highlight]:
    reliability = evaluation.reliability
    if reliability.bins and reliability.exceeds(_CALIBRATION_ERROR):
        bins = reliability.bins
        gap = sum(bin_.count * (bin_.confidence - bin_.accuracy) for bin_ in bins)
        gap /= sum(bin_.count for bin_ in bins)
        if abs(gap) > reliability.error / 2:
            direction = "higher" if gap > 0 else "lower"
        else:
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


def _labels(evaluation: Evaluation) -> Iterator[Highlight]:
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
