"""The charts of a report, from its figures."""

from collections.abc import Sequence

from markupsafe import Markup

from components.report.figures import (
    EarlierRun,
    Epoch,
    Evaluation,
    LengthBin,
    Reliability,
    Thresholds,
    Verdict,
)
from components.report.page.charts import Axis, Dot, Line, axis, chart, diagonal, marker, unit_axis

MOST_RUNS = 60
PARTS = ("precision", "recall", "f1")


def history(verdict: Verdict, evaluation: Evaluation) -> Markup:
    """F1 of the latest runs before, and of this one."""
    now = EarlierRun(
        verdict.run,
        verdict.began,
        evaluation.overall.f1,
        verdict.published is not None,
        evaluation.split,
    )
    runs = [*verdict.history, now][-MOST_RUNS:]
    dots = [
        Dot(
            number,
            one.f1,
            "published" if one.published else "refused",
            f"{one.run}: F1 {one.f1:.3f}{f' on {one.evaluated_on}' if one.evaluated_on else ''},"
            f" {'published' if one.published else 'not published'}",
        )
        for number, one in enumerate(runs)
    ]
    line = Line("F1", "f1", tuple((dot.x, dot.y) for dot in dots))
    last = len(runs) - 1
    x = Axis(-0.5, last + 0.5, ((0, runs[0].began[:10]), (last, "this run")))
    return chart(
        f"F1 of {len(runs)} runs, this one last", x, axis(one.f1 for one in runs), (line,), dots
    )


def reliability(figures: Reliability) -> Markup:
    """The share that is right over the score; a dot where it should be, were scores probabilities."""
    bars = [
        (
            one.low,
            one.high,
            one.accuracy,
            f"{one.low:.2f} to {one.high:.2f}: {one.accuracy:.3f} of {one.count:,} right",
        )
        for one in figures.bins
    ]
    dots = [
        Dot(
            one.confidence,
            one.accuracy,
            "expected",
            f"mean score {one.confidence:.3f}, right {one.accuracy:.3f}",
        )
        for one in figures.bins
    ]
    name = (
        f"Share of entities that are right over their score; off by {figures.error:.3f} on average"
    )
    return chart(
        name, unit_axis("score"), unit_axis("share right"), dots=dots, bars=bars, below=diagonal()
    )


def counts(figures: Reliability) -> Markup:
    """How many entities there are with which score."""
    bars = [
        (one.low, one.high, one.count, f"{one.low:.2f} to {one.high:.2f}: {one.count:,} entities")
        for one in figures.bins
    ]
    y = axis((one.count for one in figures.bins), "entities", zero=True)
    return chart("Number of found entities over their score", unit_axis("score"), y, bars=bars)


def thresholds(figures: Thresholds) -> Markup:
    """Precision, recall and F1 of all types over the lowest score that is taken, with a marker at the best F1."""
    lines = [
        Line(
            part,
            part,
            tuple(
                (at, getattr(one, part))
                for at, one in zip(figures.thresholds, figures.overall.scores)
            ),
        )
        for part in PARTS
    ]
    x = unit_axis("threshold")
    return chart(
        "Precision, recall and F1 over the threshold",
        x,
        unit_axis("score"),
        lines,
        below=marker(x, figures.thresholds[figures.best]),
        identity="threshold-chart",
    )


def epochs(
    figures: Sequence[Epoch], names: Sequence[str], title: str, unit: bool = False
) -> Markup:
    """What some of an epoch's figures are from epoch to epoch, a line for each."""
    values = {name: [float(getattr(epoch, name)) for epoch in figures] for name in names}
    low, high = figures[0].epoch, figures[-1].epoch
    every = max(1, -(-len(figures) // 8))
    ticks = tuple((epoch.epoch, str(epoch.epoch)) for epoch in figures[::every])
    x = (
        Axis(low - 0.5, high + 0.5, ticks, "epoch")
        if low == high
        else Axis(low, high, ticks, "epoch")
    )
    y = (
        unit_axis("")
        if unit
        else axis((value for line in values.values() for value in line), zero=True)
    )
    lines = [
        Line(name, name, tuple((epoch.epoch, value) for epoch, value in zip(figures, line)))
        for name, line in values.items()
    ]
    dots = [
        Dot(epoch.epoch, value, name, f"epoch {epoch.epoch}: {value:.4g}")
        for name, line in values.items()
        for epoch, value in zip(figures, line)
        if len(figures) <= 30
    ]
    return chart(f"{title} by epoch", x, y, lines, dots)


def lengths(split: str, bins: Sequence[LengthBin]) -> Markup:
    """How long a split's sentences are; each bin has the same width, whatever it holds."""
    every = max(1, -(-len(bins) // 8))
    ticks = tuple(
        (place + 0.5, _range(one)) for place, one in enumerate(bins) if place % every == 0
    )
    bars = [
        (place, place + 1, one.count, f"{_range(one)} tokens: {one.count:,} sentences")
        for place, one in enumerate(bins)
    ]
    y = axis((one.count for one in bins), "sentences", zero=True)
    return chart(
        f"Lengths of {split}'s sentences", Axis(0, max(len(bins), 1), ticks, "tokens"), y, bars=bars
    )


def _range(bin_: LengthBin) -> str:
    return f"{bin_.low}" if bin_.low == bin_.high else f"{bin_.low}–{bin_.high}"
