"""What to look at first: plain sentences about whatever stands out in a report's figures."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from components.report.figures import Errors, Evaluation, Figures, Slice
from components.report.page.wording import many

MOST = 8
KINDS = {
    "missed": "missed",
    "borders": "wrong borders",
    "type": "wrong type",
    "both": "wrong type and borders",
    "invented": "invented",
}
"""What the page calls the kinds of errors."""

# Below these a difference is more likely chance than something to look at.
_FEW = 20
_RECALL_GAP = 0.1
_CALIBRATION = 0.05
_GAIN = 0.005
_LEAKED = 0.01


@dataclass(frozen=True)
class Standout:
    """A sentence, and the id of the section that shows more."""

    text: str
    section: str


def standouts(figures: Figures) -> tuple[Standout, ...]:
    """What stands out, the most telling first, at most MOST."""
    evaluation = figures.evaluation
    found = [
        *_errors(evaluation.errors),
        *_slices(evaluation),
        *_data(figures),
        *_scores(evaluation),
        *_labels(evaluation),
    ]
    return tuple(found[:MOST])


def _errors(errors: Errors) -> Iterator[Standout]:
    if not errors.count:
        return
    by_type: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    for kind in errors.kinds:
        by_type[kind.type] += kind.count
        by_kind[kind.kind] += kind.count
    [(kind, count)] = by_kind.most_common(1)
    yield Standout(
        f"The most frequent error is “{KINDS[kind]}”, {_of(count, errors.count)}.", "errors"
    )
    if len(by_type) > 2:
        [(type_, count)] = by_type.most_common(1)
        yield Standout(
            f"The type with the most errors is {type_}, {_of(count, errors.count)}.", "errors"
        )
    groups = [
        (group, kind)
        for kind in errors.kinds
        if kind.kind == "missed"
        for group in kind.groups
        if group.label
    ]
    if groups:
        group, kind = max(groups, key=lambda pair: pair[0].count)
        if group.count > 2:
            of = f" of {group.of:,} times" if group.of else " times"
            yield Standout(
                f"“{group.label}” ({kind.type}) is missed {group.count:,}{of}.", "errors"
            )
    confused = max(
        (kind for kind in errors.kinds if kind.kind == "type"),
        key=lambda kind: kind.count,
        default=None,
    )
    if confused and confused.groups and confused.groups[0].label and confused.groups[0].count > 2:
        group = confused.groups[0]
        yield Standout(
            f"{confused.type} is taken for {group.label} {group.count:,} times.", "confusion"
        )


def _slices(evaluation: Evaluation) -> Iterator[Standout]:
    for slices in (
        evaluation.slices.novelty,
        evaluation.slices.case,
        evaluation.slices.entity_length,
    ):
        enough = [slice_ for slice_ in slices if slice_.score.support >= _FEW]
        if len(enough) < 2:
            continue
        best, worst = max(enough, key=_recall), min(enough, key=_recall)
        if _recall(best) - _recall(worst) >= _RECALL_GAP:
            yield Standout(
                f"Recall is {_recall(worst):.2f} where entities are “{worst.name}”, {_recall(best):.2f} where “{best.name}”;"
                f" the former are {_of(worst.score.support, evaluation.overall.support)}.",
                "slices",
            )


def _data(figures: Figures) -> Iterator[Standout]:
    evaluated = figures.evaluation.split
    for overlap in figures.data.overlaps:
        if overlap.right == evaluated and overlap.sentence_share >= _LEAKED:
            yield Standout(
                f"{overlap.sentence_share:.0%} of {evaluated}'s sentences stand in {overlap.left} word by word:"
                " the scores are better than they will be on new text.",
                "data",
            )
    train = {split.name: split.types for split in figures.data.splits}.get("train", {})
    unknown = [
        one.type
        for one in figures.evaluation.types
        if one.score.support and train and not train.get(one.type)
    ]
    if unknown:
        yield Standout(f"{evaluated} has types that train lacks: {', '.join(unknown[:5])}.", "data")
    if figures.data.anomalies:
        yield Standout(
            f"TFDV holds {many(len(figures.data.anomalies), 'anomaly', 'anomalies')} against the data.",
            "data",
        )


def _scores(evaluation: Evaluation) -> Iterator[Standout]:
    bins = evaluation.reliability.bins
    if bins and evaluation.reliability.is_off_by(_CALIBRATION):
        total = sum(one.count for one in bins)
        gap = sum(one.count * (one.confidence - one.accuracy) for one in bins) / total
        how = (
            f"{'higher' if gap > 0 else 'lower'} than"
            if abs(gap) > evaluation.reliability.error / 2
            else "off from"
        )
        yield Standout(
            f"Scores are {how} the share that is right, by {evaluation.reliability.error:.2f} on average.",
            "scores",
        )
    thresholds = evaluation.thresholds
    if thresholds.thresholds:
        best = thresholds.overall.scores[thresholds.best]
        if best.f1 - evaluation.overall.f1 >= _GAIN:
            yield Standout(
                f"Taking only entities with a score of {thresholds.thresholds[thresholds.best]:.2f} or more"
                f" would give F1 {best.f1:.3f} here.",
                "threshold",
            )


def _labels(evaluation: Evaluation) -> Iterator[Standout]:
    suspects = evaluation.suspects
    if suspects.conflict_count:
        told = many(suspects.conflict_count, "name has", "names have")
        yield Standout(f"{told} several labels in train: look whether that is meant.", "suspects")
    if suspects.disagreement_count:
        told = many(suspects.disagreement_count, "place", "places")
        yield Standout(
            f"The model is sure, and {evaluation.split} says otherwise, in {told}: look whether the labels are right.",
            "suspects",
        )
    few = [one.type for one in evaluation.types if 0 < one.score.support < _FEW]
    if few:
        names = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
        yield Standout(
            f"{evaluation.split} has fewer than {_FEW} entities of {names}: chance decides about their scores.",
            "types",
        )


def _recall(slice_: Slice) -> float:
    return slice_.score.recall


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.0%})" if whole else f"{part:,}"
