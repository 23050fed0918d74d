"""The terminal output of a run: the current node, the figures of each epoch, and the outcome."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table

from components import progress
from components.stdio import log_to_file

if TYPE_CHECKING:
    from pipeline.outcome import Outcome, PartialOutcome
    from pipeline.preflight import Survey


class RunConsole:
    """Shows the progress of a run; everything that libraries print goes to the run's log.

    Args:
      console: the terminal, or a file.
    """

    def __init__(self, console: Console):
        self._console = console
        self._status: Status | None = None

    @contextlib.contextmanager
    def logging_to(self, log: Path) -> Iterator[None]:
        """In the block all output goes to `log`, except what this console shows."""
        console = self._console
        try:
            with log_to_file(log, console.stderr) as terminal:
                self._console = Console(
                    file=terminal, no_color=console.no_color, width=console.width
                )
                with (
                    self._console.status("")
                    if self._console.is_terminal
                    else contextlib.nullcontext() as self._status
                ):
                    yield
        finally:
            self._console, self._status = console, None

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(line, highlight=False, soft_wrap=True, style=style)

    def show_status(self, activity: str) -> None:
        """Names the current activity next to the spinner; does nothing without a terminal."""
        if self._status:
            self._status.update(escape(activity))

    def show_corpus(self, survey: "Survey", label: str, left_out: Path) -> None:
        """Shows the sizes of the corpus, what was decided about its files, and where skipped sentences are."""
        sizes = ", ".join(f"{split} {count:,}" for split, count in survey.sentences.items())
        self._print(f"{escape(label)}: {sizes} sentences")
        for note in survey.splits.notes:
            self._print(f"  {escape(note)}")
        if survey.left_out:
            skipped = (
                f"  {survey.left_out:,} sentences are skipped; they are in {escape(str(left_out))}"
            )
            self._print(skipped, style="yellow")

    def show_transfer(self, line: str) -> None:
        """Shows what is copied from or to remote storage."""
        self._print(escape(line))
        self.show_status(line)

    def show_tuned(self, file: Path) -> None:
        """Shows where the best settings of a search are."""
        self._print(
            f"  the best settings are in {escape(str(file))}; runs in this workdir use them from now on"
        )

    def show_missing_report(self, reason: str, log: Path) -> None:
        """Shows why there is no report."""
        self._print(
            f"[yellow]No report[/]: {escape(reason)}. Details are in the log: {escape(str(log))}"
        )

    def handle(self, event: progress.Event) -> None:
        """Shows an event of a node."""
        match event:
            case progress.NodeStarted():
                self.show_status(event.node)
            case progress.NodeEnded():
                mark, state = ("[dim]=[/]", "cached") if event.cached else ("[green]✓[/]", "ran")
                reason = escape(event.reason)
                self._print(f"{mark} {event.node:<25}{event.seconds:7.1f} s  {state}: {reason}")
            case progress.NodeFailed():
                self._print(f"[red]✗[/] {event.node:<25}{event.seconds:7.1f} s  failed")
            case progress.EpochEnded():
                self._print(
                    f"  epoch {event.epoch:>3}/{event.epochs}{event.seconds:7.1f} s  loss {event.loss:.4f}"
                    f"  dev F1 {event.f1:.4f} (precision {event.precision:.4f}, recall {event.recall:.4f})"
                )
                following = min(event.epoch + 1, event.epochs)
                self.show_status(f"Trainer, epoch {following}/{event.epochs}")
            case progress.TrialEnded():
                settings = ", ".join(
                    f"{key.partition('.')[2]} {value:g}" for key, value in event.settings.items()
                )
                trial = f"  trial {event.trial:>3}/{event.trials}"
                self._print(f"{trial}  dev F1 {event.f1:.4f}  {settings}")
                following = min(event.trial + 1, event.trials)
                self.show_status(f"Tuner, trial {following}/{event.trials}")
            case progress.Calibrated():
                self._print(
                    f"  calibrated on dev: outside bias {event.outside_bias:+.2f}, F1 {event.f1:.4f};"
                    f" temperature {event.temperature:.2f}, odds × {event.odds:.2f},"
                    f" calibration error {event.error:.3f}"
                )
            case progress.WarmStarted():
                self._print(
                    f"  warm start: {event.weights} of {event.of_weights} weights of the serving model,"
                    f" with {event.words:,} of {event.of_words:,} word embeddings"
                )
            case progress.VectorsLoaded():
                self._print(
                    f"  pretrained vectors of {event.dimensions} dimensions for {event.known:,} of the"
                    f" {event.words:,} words of train, and for {event.others:,} other words"
                )
            case progress.WaitingForWorkers():
                machines = f"{event.machines} other machine{'s' * (event.machines != 1)}"
                self.show_status(f"Trainer, waiting for `tfx-ner worker` on {machines}")
                self._print(f"  waiting for `tfx-ner worker` on {machines}")
            case progress.ReplicasReady():
                self.show_status("Trainer")
                self._print(f"  each batch is split over {event.replicas} replicas")


def text_bar(console: Console, redirect_stderr: bool = True) -> Progress:
    """A progress bar of work on texts; its tasks have the fields `lines` (texts done) and `speed` (texts per second)."""
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} texts, {task.fields[speed]:,.0f} per second"),
        TimeRemainingColumn(),
    )
    return Progress(
        *columns, console=console, redirect_stdout=False, redirect_stderr=redirect_stderr
    )


BAR_WIDTH = 10  # characters: a table with type names of 30 characters still fits 80 columns


def score_table(
    title: str, per_type: Mapping[str, Mapping[str, Any]], overall: Mapping[str, Any]
) -> Table:
    """A table of precision, recall, F1 (with a bar) and support for each type and overall; long type names wrap."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("type", overflow="fold", min_width=6)
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(width=BAR_WIDTH)
    table.add_column("support", justify="right", no_wrap=True)
    lines = [(escape(name), scores, None) for name, scores in per_type.items()]
    for name, scores, style in [*lines, ("all", overall, "bold")]:
        table.add_row(
            name,
            *(f"{scores[key]:.4f}" for key in ("precision", "recall", "f1")),
            Bar(1, 0, scores["f1"], width=BAR_WIDTH),
            f"{scores['support']:,}",
            style=style,
        )
    return table


def show_outcome(console: Console, outcome: "Outcome") -> None:
    """Prints the scores, the gate's decision and where the model is."""
    title = f"Entities on {outcome.evaluated_on} (exact span and type)"
    console.print()
    console.print(score_table(title, outcome.per_type, outcome.overall))
    lines = [*_novelty(outcome), *_drift(outcome), _comparison(outcome), "", *_published(outcome)]
    if outcome.report:
        lines.append(f"Report: {escape(outcome.report)}")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _novelty(outcome: "Outcome") -> Iterator[str]:
    names = {"seen": "seen in train", "seen_as_other": "seen with another type"}
    recalls = [
        f"{names.get(name, name)} {recall:.4f}"
        for name, recall in outcome.recall_by_novelty.items()
    ]
    if recalls:
        yield f"Recall by novelty: {', '.join(recalls)}"


def _drift(outcome: "Outcome") -> Iterator[str]:
    """The drift of each feature; in yellow if it is past its threshold."""
    by_comparison: dict[str, list[str]] = {}
    for drift in outcome.drift:
        figure = f"{drift['of']} {drift['value']:.3f}"
        limit = f", past {drift['threshold']:g}" if drift["past"] else f" of {drift['threshold']:g}"
        text = f"[yellow]{figure}{limit}[/]" if drift["past"] else f"{figure}{limit}"
        by_comparison.setdefault(drift["between"], []).append(text)
    for between, figures in by_comparison.items():
        yield f"Drift, {between}: {'; '.join(figures)}"


def _comparison(outcome: "Outcome") -> str:
    if outcome.before:
        before = outcome.before["f1"]
        change = outcome.overall["f1"] - before
        return f"Serving model: F1 {before:.4f} on the same data; change {change:+.4f}"
    if outcome.forced:
        why = "Not compared with the serving model, as --force-baseline asks"
    elif outcome.incomparable:
        why = (
            "The serving model cannot be evaluated on this data: it has other signatures, or was not"
            " made by a run in this workdir"
        )
    else:
        why = "No earlier model to compare with"
    return f"{why}: gate.minimum_f1 alone decides."


def _published(outcome: "Outcome") -> Iterator[str]:
    if outcome.nothing_ran:
        yield "Everything was cached: no node had to run, and nothing new was published."
    if outcome.published:
        how = "Published as canary" if outcome.canary else "Published"
        yield f"[green]{how}[/]: {escape(outcome.published)}"
        if outcome.canary:
            yield "`tfx-ner models promote` makes it the serving version."
    elif outcome.held:
        yield f"[yellow]Not live[/]: {escape(outcome.held)}."
        if version := outcome.version:
            effect = f"makes version {version} the serving version and ends the hold"
            yield f"`tfx-ner models promote {version}` {effect}."
    else:
        yield f"[yellow]Not published[/]: {escape('; '.join(outcome.reasons)) or 'the gate refused'}"


def show_partial_outcome(console: Console, outcome: "PartialOutcome") -> None:
    """Prints where `--until` stopped a run, and how to continue it."""
    console.print(
        f"\nStopped after {outcome.until} (--until). Nothing is published; the next node is"
        f" {outcome.next}. To continue, run the same command without --until: finished nodes come"
        " from the cache.",
        highlight=False,
        soft_wrap=True,
    )
