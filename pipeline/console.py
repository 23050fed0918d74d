"""What a user sees of a run: which node is at work and for how long, an epoch's figures, and the outcome."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from components import progress
from components.stdio import log_to_file


@dataclass(frozen=True)
class NodeFailure:
    """The node that failed, and what it raised."""

    node: str
    error: BaseException


class RunConsole(logging.Handler):
    """Shows a run's progress, and remembers which nodes ran.

    `executions`: ML Metadata's id of each node's execution; `nodes`: what became of each; `failure`: the first failure.
    """

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._status: Optional[Status] = None
        self._doing = ""
        self._since = time.monotonic()
        self.executions: dict[str, int] = {}
        self.nodes: tuple[Mapping[str, object], ...] = ()
        self.failure: Optional[NodeFailure] = None

    @contextlib.contextmanager
    def capturing(self, log: Path) -> Iterator[None]:
        """Sends everything that is printed meanwhile to `log`, and shows progress on the real terminal."""
        console = self._console
        progress.LOGGER.addHandler(self)
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
            progress.LOGGER.removeHandler(self)
            self._console, self._status = console, None

    def surveyed(self, found, label: str, folder: Path) -> None:
        """Tells what is run on."""
        sizes = ", ".join(f"{split} {count:,}" for split, count in found.sentences.items())
        self._console.print(f"{escape(label)}: {sizes} sentences", highlight=False, soft_wrap=True)
        for note in found.splits.notes:
            self._console.print(f"  {escape(note)}", highlight=False, soft_wrap=True)
        if found.left_out:
            self._console.print(
                f"  {found.left_out:,} sentences are left out; they are in {folder / 'left-out.jsonl'}",
                highlight=False,
                soft_wrap=True,
                style="yellow",
            )

    def working(self, doing: str) -> None:
        """Names what is being done, with a running clock on a terminal."""
        self._doing, self._since = doing, time.monotonic()
        if self._status:
            self._status.update(escape(doing))

    def emit(self, record: logging.LogRecord) -> None:
        kind, facts = getattr(record, "kind", ""), getattr(record, "facts", {})
        handler = getattr(self, f"_{kind}", None)
        if handler:
            handler(**facts)

    def _node_started(self, node: str) -> None:
        self.working(node)

    def _node_ended(
        self, node: str, execution: int, cached: bool, reason: str, seconds: float
    ) -> None:
        self.executions[node] = execution
        self.nodes += (
            {
                "node": node,
                "execution": execution,
                "cached": cached,
                "reason": reason,
                "seconds": round(seconds, 2),
            },
        )
        mark, state = ("[dim]=[/]", "cached") if cached else ("[green]✓[/]", "ran")
        self._console.print(
            f"{mark} {node:<25}{seconds:7.1f} s  {state}: {escape(reason)}",
            highlight=False,
            soft_wrap=True,
        )

    def _node_failed(self, node: str, error: BaseException, seconds: float) -> None:
        if self.failure is None:
            self.failure = NodeFailure(node, error)
            self._console.print(
                f"[red]✗[/] {node:<25}{seconds:7.1f} s  failed", highlight=False, soft_wrap=True
            )

    def _epoch(
        self,
        epoch: int,
        epochs: int,
        loss: float,
        seconds: float,
        f1: float,
        precision: float,
        recall: float,
    ) -> None:
        self._console.print(
            f"  epoch {epoch:>3}/{epochs}{seconds:7.1f} s  loss {loss:.4f}  dev F1 {f1:.4f}"
            f" (precision {precision:.4f}, recall {recall:.4f})",
            highlight=False,
            soft_wrap=True,
        )
        self.working(f"Trainer, epoch {min(epoch + 1, epochs)}/{epochs}")

    def _trial(self, number: int, of: int, f1: float, settings: Mapping[str, float]) -> None:
        chosen = ", ".join(f"{key.partition('.')[2]} {value:g}" for key, value in settings.items())
        self._console.print(
            f"  trial {number:>3}/{of}  dev F1 {f1:.4f}  {chosen}", highlight=False, soft_wrap=True
        )
        self.working(f"Tuner, trial {min(number + 1, of)}/{of}")

    def tuned(self, file: Path) -> None:
        """Tells where the best settings are kept."""
        self._console.print(
            f"  the best settings are in {escape(str(file))}, and hold for runs in this workdir from now on",
            highlight=False,
            soft_wrap=True,
        )

    def elsewhere(self, line: str) -> None:
        """Tells what is copied from or to storage elsewhere, and names it as what is being done."""
        self._console.print(escape(line), highlight=False, soft_wrap=True)
        self.working(line)

    def no_report(self, reason: str, log: Path) -> None:
        """Tells why there is no report."""
        self._console.print(
            f"[yellow]No report[/]: {escape(reason)}. The log has the whole story: {escape(str(log))}",
            highlight=False,
            soft_wrap=True,
        )

    def _vectors(self, known: int, words: int, others: int, dimensions: int) -> None:
        self._console.print(
            f"  vectors of {dimensions} dimensions for {known:,} of {words:,} words of train, and {others:,} others",
            highlight=False,
            soft_wrap=True,
        )

    def _gathering(self, others: int) -> None:
        self.working(
            f"Trainer, waiting for {others} other machine{'s' * (others != 1)}: `tfx-ner worker` there"
        )
        self._console.print(
            f"  waiting for `tfx-ner worker` on {others} other machine{'s' * (others != 1)}",
            highlight=False,
            soft_wrap=True,
        )

    def _team(self, replicas: int) -> None:
        self.working("Trainer")
        self._console.print(
            f"  each batch is shared among {replicas} replicas", highlight=False, soft_wrap=True
        )

    def _warm_start(self, weights: int, of_weights: int, words: int, of_words: int) -> None:
        self._console.print(
            f"  from the model that serves: {weights} of {of_weights} weights, with {words:,} of {of_words:,} words;"
            " the rest begins anew",
            highlight=False,
            soft_wrap=True,
        )

    def _calibration(
        self, boldness: float, temperature: float, odds: float, f1: float, error: float
    ) -> None:
        self._console.print(
            f"  fitted on dev: boldness {boldness:+.2f}, F1 {f1:.4f}; temperature {temperature:.2f}, odds times {odds:.2f},"
            f" scores off by {error:.3f}",
            highlight=False,
            soft_wrap=True,
        )


BAR_WIDTH = 10  # in characters: with types of 30 a table of scores still fits 80


def score_table(title: str, per_type: Mapping[str, Mapping], overall: Mapping) -> Table:
    """Precision, recall, F1 with a bar, and support for each type, and for all; longer names of types are folded."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("type", overflow="fold", min_width=6)
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(width=BAR_WIDTH)
    table.add_column("support", justify="right", no_wrap=True)
    rows = [(escape(name), scores, None) for name, scores in per_type.items()] + [
        ("all", overall, "bold")
    ]
    for name, scores, style in rows:
        table.add_row(
            name,
            *(f"{scores[part]:.4f}" for part in ("precision", "recall", "f1")),
            Bar(1, 0, scores["f1"], width=BAR_WIDTH),
            f"{scores['support']:,}",
            style=style,
        )
    return table


def show_outcome(console: Console, outcome) -> None:
    """Prints the scores, the gate's decision and where the model is."""
    console.print()
    console.print(
        score_table(
            f"Entities on {outcome.evaluated_on} (exact span and type)",
            outcome.per_type,
            outcome.overall,
        )
    )
    novelty = ", ".join(
        f"{name.replace('_', ' ')} {value:.4f}" for name, value in outcome.recall_by_novelty.items()
    )
    if novelty:
        console.print(
            f"Recall by whether train has the entity: {novelty}", highlight=False, soft_wrap=True
        )
    _show_drift(console, outcome.drift)
    if outcome.before:
        change = outcome.overall["f1"] - outcome.before["f1"]
        console.print(
            f"The model that serves: F1 {outcome.before['f1']:.4f} on the same data, {change:+.4f}",
            highlight=False,
            soft_wrap=True,
        )
    elif outcome.forced:
        console.print(
            "Not compared with the model that serves, by --force-baseline: the lower bound alone decides.",
            highlight=False,
            soft_wrap=True,
        )
    elif outcome.incomparable:
        console.print(
            "The model that serves has other signatures, or is not of this workdir's runs, and cannot be measured beside it:"
            " the lower bound alone decides.",
            highlight=False,
            soft_wrap=True,
        )
    else:
        console.print(
            "No earlier model to compare with: the lower bound alone decides.",
            highlight=False,
            soft_wrap=True,
        )
    console.print()
    if outcome.nothing_ran:
        console.print(
            "Everything was cached: no step had to run, and nothing new was published.",
            highlight=False,
        )
    if outcome.published:
        how = "Published as canary" if outcome.canary else "Published"
        console.print(f"[green]{how}[/]:", outcome.published, highlight=False, soft_wrap=True)
        if outcome.canary:
            console.print(
                "It is on trial; `tfx-ner models promote` lets it serve.",
                highlight=False,
                soft_wrap=True,
            )
    elif outcome.held:
        console.print(
            f"[yellow]Not live[/]: {escape(outcome.held)}.", highlight=False, soft_wrap=True
        )
        if outcome.version:
            console.print(
                f"`tfx-ner models promote {outcome.version}` puts version {outcome.version} live and lifts the hold.",
                highlight=False,
                soft_wrap=True,
            )
    else:
        console.print(
            "[yellow]Not published[/]:",
            "; ".join(outcome.reasons) or "the gate refused",
            highlight=False,
            soft_wrap=True,
        )
    if outcome.report:
        console.print("Report:", outcome.report, highlight=False, soft_wrap=True)


def show_part(console: Console, part) -> None:
    """Prints where a `pipeline.outcome.PartialOutcome` stopped, and how it goes on."""
    console.print()
    console.print(
        f"Stopped after {part.until}, as --until asks. Nothing is published; the next step is {part.next}. The same command"
        " without --until goes on to the end, and takes what is done from the cache.",
        highlight=False,
        soft_wrap=True,
    )


def _show_drift(console: Console, drift) -> None:
    """What has moved, and of that in yellow what is past its threshold."""
    for between in dict.fromkeys(one["between"] for one in drift):
        figures = [
            f"[yellow]{one['of']} {one['value']:.3f}, past {one['threshold']:g}[/]"
            if one["past"]
            else f"{one['of']} {one['value']:.3f} of {one['threshold']:g}"
            for one in drift
            if one["between"] == between
        ]
        console.print(f"Drift, {between}: {'; '.join(figures)}", highlight=False, soft_wrap=True)


def show_settings(console: Console, settings, prefix: str = "") -> None:
    """Prints every setting with its default and what it is."""
    for name, field in settings.model_fields.items():
        key = prefix + (field.alias or name)
        if hasattr(field.annotation, "model_fields"):
            show_settings(console, field.annotation, f"{key}.")
        else:
            default = "" if field.default is None else f" = {field.default}"
            console.print(
                f"[bold]{key}[/]{escape(default)}\n    {escape(field.description or '')}",
                soft_wrap=True,
            )
