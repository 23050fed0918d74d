"""The charts of a report, drawn from its figures."""

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

MAXIMUM_RUNS = 60
PARTS = ("precision", "recall", "f1")


def history(verdict: Verdict, evaluation: Evaluation) -> Markup:
    """Draws F1 of earlier runs and of this run."""
    this_run = EarlierRun(
        verdict.run,
        verdict.began,
        evaluation.overall.f1,
        verdict.published is not None,
        evaluation.split,
    )
    runs = [*verdict.history, this_run][-MAXIMUM_RUNS:]
    dots = [
        Dot(
            index,
            run.f1,
            "published" if run.published else "refused",
            f"{run.run}: F1 {run.f1:.3f}{f' on {run.evaluated_on}' if run.evaluated_on else ''},"
            f" {'published' if run.published else 'not published'}",
        )
        for index, run in enumerate(runs)
    ]
    line = Line("F1", "f1", tuple((dot.x, dot.y) for dot in dots))
    last = len(runs) - 1
    x = Axis(-0.5, last + 0.5, ((0, runs[0].began[:10]), (last, "this run")))
    return chart(
        f"F1 of {len(runs)} runs, this run last", x, axis(run.f1 for run in runs), (line,), dots
    )


def reliability(figures: Reliability) -> Markup:
    """Draws the share of correct predictions by score, with dots for perfect calibration."""
    bars = [
        (
            bin_.low,
            bin_.high,
            bin_.accuracy,
            f"{bin_.low:.2f} to {bin_.high:.2f}: {bin_.accuracy:.3f} of {bin_.count:,} correct",
        )
        for bin_ in figures.bins
    ]
    dots = [
        Dot(
            bin_.confidence,
            bin_.accuracy,
            "expected",
            f"mean score {bin_.confidence:.3f}, correct {bin_.accuracy:.3f}",
        )
        for bin_ in figures.bins
    ]
    name = f"Share of correct predictions by score; calibration error {figures.error:.3f}"
    return chart(
        name, unit_axis("score"), unit_axis("share correct"), dots=dots, bars=bars, below=diagonal()
    )


def counts(figures: Reliability) -> Markup:
    """Draws the number of predictions by score."""
    bars = [
        (
            bin_.low,
            bin_.high,
            bin_.count,
            f"{bin_.low:.2f} to {bin_.high:.2f}: {bin_.count:,} entities",
        )
        for bin_ in figures.bins
    ]
    y = axis((bin_.count for bin_ in figures.bins), "entities", zero=True)
    return chart("Number of predictions by score", unit_axis("score"), y, bars=bars)


def thresholds(figures: Thresholds) -> Markup:
    """Draws precision, recall and F1 of all types by threshold, with a marker at the best F1."""
    lines = [
        Line(
            part,
            part,
            tuple(
                (threshold, getattr(score, part))
                for threshold, score in zip(figures.thresholds, figures.overall.scores)
            ),
        )
        for part in PARTS
    ]
    x = unit_axis("threshold")
    return chart(
        "Precision, recall and F1 by threshold",
        x,
        unit_axis("score"),
        lines,
        below=marker(x, figures.thresholds[figures.best]),
        identity="threshold-chart",
    )


def epochs(
    figures: Sequence[Epoch], names: Sequence[str], title: str, unit: bool = False
) -> Markup:
    """Draws figures of each epoch, bin_ line for each name."""
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
    """Draws the sentence lengths of a split; all bins have the same width."""
    every = max(1, -(-len(bins) // 8))
    ticks = tuple(
        (index + 0.5, _range(bin_)) for index, bin_ in enumerate(bins) if index % every == 0
    )
    bars = [
        (index, index + 1, bin_.count, f"{_range(bin_)} tokens: {bin_.count:,} sentences")
        for index, bin_ in enumerate(bins)
    ]
    y = axis((bin_.count for bin_ in bins), "sentences", zero=True)
    return chart(
        f"Sentence lengths of {split}", Axis(0, max(len(bins), 1), ticks, "tokens"), y, bars=bars
    )


def _range(bin_: LengthBin) -> str:
    return f"{bin_.low}" if bin_.low == bin_.high else f"{bin_.low}–{bin_.high}"
