"""Tables of runs and of published versions for the terminal, in 80 columns."""

import datetime
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.publishing.changes import Hold
from pipeline import durations
from pipeline.console import score_table
from pipeline.history.runs import KILLED, RUNNING, Facts, Model, Run

_RUN_STYLES = {"published": "green", "canary": "green", "unchanged": "dim", "refused": "yellow", "held": "yellow",
           "bad input": "red", "failed": "red", "stopped": "red", KILLED: "red", RUNNING: "cyan"}  # fmt: skip
_MODEL_STYLES = {"serving": "green", "canary": "cyan", "held": "yellow", "withdrawn": "yellow"}
_WIDEST_SPANS, _NARROWEST_WHY = 9, 8  # in characters


def show_runs(console: Console, runs: Sequence[Run]) -> None:
    """Prints one line for each run."""
    if not runs:
        console.print("No runs yet.")
        return
    with_spans = any(run.facts.spans for run in runs)
    rows = [_row(run, runs, with_spans) for run in runs]
    names = ["run", "why", *(["spans"] * with_spans), "F1", "verdict", "version", "took"]
    widths = {name: max(map(len, (name, *cells))) for name, *cells in zip(names, *rows)}
    if with_spans:
        widths["spans"] = min(widths["spans"], _WIDEST_SPANS)
    others = sum(width + 1 for name, width in widths.items() if name != "why")
    widths["why"] = max(_NARROWEST_WHY, min(widths["why"], console.width - others))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name, width in widths.items():
        justify = "right" if name in ("F1", "took") else "left"
        table.add_column(name, width=width, no_wrap=True, overflow="ellipsis", justify=justify)
    for run, row in zip(runs, rows):
        style = _RUN_STYLES.get(run.state, "default")
        cells = [escape(cell) for cell in row]
        cells[names.index("verdict")] = f"[{style}]{escape(run.state)}[/]"
        table.add_row(*cells)
    console.print(table)


def _row(run: Run, runs: Sequence[Run], with_spans: bool) -> list[str]:
    facts = run.facts
    return [
        _short(run, runs),
        facts.reason,
        *([span_numbers(facts.spans)] if with_spans else []),
        _f1(facts),
        run.state,
        facts.version if run.state in ("published", "canary", "held") else "",
        _duration(facts),
    ]


def show_run(
    console: Console,
    run: Run,
    nodes: Sequence[Mapping[str, Any]],
    earlier: Run | None,
    changed: Mapping[str, tuple[Any, Any]],
    folder: Path,
) -> None:
    """Prints everything that is recorded of one run.

    Args:
      console: the terminal.
      run: the run.
      nodes: its nodes, as `runs.load_nodes` gives them.
      earlier: the run before it; None for the first.
      changed: the settings in which it differs from that, as (old, new) by key.
      folder: its folder.
    """
    facts = run.facts
    console.print(f"[bold]{run.name}[/]: [{_RUN_STYLES.get(run.state, 'default')}]{run.state}[/]")
    _show_field(console, "why", facts.reason)
    _show_field(console, "started", f"{_time(facts.started, seconds=True)} on {facts.host}")
    _show_field(console, "took", _duration(facts))
    _show_field(console, "error", facts.error)
    for reason in facts.reasons:
        _show_field(console, "reason", reason)
    _show_field(console, "version", facts.version)
    _show_field(console, "folder", folder if folder.is_dir() else f"{folder} (gone)")
    console.print()
    _show_origin(console, facts)
    if earlier and changed:
        console.print(f"\nSettings changed since {earlier.name}", style="bold")
        for key, (old, new) in changed.items():
            _show_field(console, key, f"{old} -> {new}")
    if nodes:
        console.print("\nNodes", style="bold")
    for node in nodes:
        state = node.get("state") or ("cached" if node["cached"] else "ran")
        reason = f": {node['reason']}" if node.get("reason") else ""
        console.print(
            f"{node['node']:<25}{node['seconds']:7.1f} s  {state}{escape(reason)}", soft_wrap=True
        )
    _show_scores(console, facts)
    if facts.before:
        console.print(f"The serving model: F1 {facts.before['f1']:.4f} on the same data")


def show_models(console: Console, models: Sequence[Model], hold: Hold | None) -> None:
    """Prints one line for each version, and the hold that a rollback has left."""
    if not models:
        console.print("No versions yet.")
    else:
        with_spans = any(model.run and model.run.facts.spans for model in models)
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        for name in ("version", "state", "published", "F1", *(["spans"] * with_spans), "run"):
            table.add_column(name, no_wrap=True, justify="right" if name == "F1" else "left")
        table.add_column("corpus", overflow="ellipsis", no_wrap=True, ratio=1)
        for model in models:
            facts = model.run.facts if model.run else None
            table.add_row(
                str(model.version),
                _styled_state(model),
                _time(model.published),
                _f1(facts),
                *([span_numbers(facts.spans) if facts else ""] * with_spans),
                facts.run.rpartition("-")[0] if facts else "unknown",
                escape(facts.corpus) if facts else "",
            )
        console.print(table)
    if hold:
        console.print(f"[yellow]{escape(str(hold)[0].upper() + str(hold)[1:])}[/]", soft_wrap=True)
        console.print(
            "`tfx-ner models promote VERSION` or `tfx-ner models release` lifts the hold",
            soft_wrap=True,
        )


def show_model(console: Console, model: Model) -> None:
    """Prints everything that is known of one version."""
    console.print(f"[bold]{model.version}[/]: {_styled_state(model)}")
    _show_field(console, "folder", model.path)
    _show_field(console, "published", _time(model.published))
    _show_field(console, "types", ", ".join(model.types))
    _show_field(console, "signatures", model.signatures)
    if model.run is None:
        console.print("ML Metadata has no run that published it")
        return
    _show_field(console, "run", model.run.name)
    _show_field(console, "why", model.run.facts.reason)
    _show_origin(console, model.run.facts)
    _show_scores(console, model.run.facts)


def _show_origin(console: Console, facts: Facts) -> None:
    """Prints what a run was made from."""
    sentences = ", ".join(f"{split} {count:,}" for split, count in facts.sentences.items())
    packages = ", ".join(f"{name} {version}" for name, version in facts.packages.items())
    _show_field(console, "corpus", f"{facts.corpus}, {facts.data}")
    _show_field(console, "spans", span_numbers(facts.spans))
    _show_field(console, "sentences", sentences)
    _show_field(console, "data", facts.data_hash[:16])
    _show_field(console, "configuration", facts.config_hash)
    _show_field(console, "code", facts.code_hash)
    _show_field(console, "packages", packages)


def _show_scores(console: Console, facts: Facts) -> None:
    if facts.overall:
        title = f"Entities on {facts.evaluated_on}"
        console.print()
        console.print(score_table(title, facts.per_type or {}, facts.overall))


def _show_field(console: Console, name: str, value: object) -> None:
    if value not in ("", None):
        console.print(f"{name:<14} {escape(str(value))}", soft_wrap=True)


def _styled_state(model: Model) -> str:
    return f"[{_MODEL_STYLES.get(model.state, 'default')}]{model.state}[/]"


def _f1(facts: Facts | None) -> str:
    return f"{facts.overall['f1']:.4f}" if facts and facts.overall else ""


def _duration(facts: Facts) -> str:
    return durations.shown(facts.seconds) if facts.seconds is not None else ""


def _time(moment: float | None, seconds: bool = False) -> str:
    """A time in seconds since 1970 as text, "" for None."""
    if not moment:
        return ""
    time = datetime.datetime.fromtimestamp(moment)
    return f"{time:%Y-%m-%d %H:%M:%S}" if seconds else f"{time:%Y-%m-%d %H:%M}"


def span_numbers(spans: Sequence[Mapping[str, int]]) -> str:
    """The numbers of spans, with ranges.

    >>> span_numbers([{"number": 4, "version": 0}, {"number": 5, "version": 2}, {"number": 6, "version": 0}])
    '4-6'
    >>> span_numbers([{"number": 1, "version": 0}, {"number": 3, "version": 0}])
    '1,3'
    """
    numbers = sorted(span["number"] for span in spans)
    ranges = []
    # In a row of consecutive numbers, number - index is the same.
    for _, group in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        first, *others = (number for _, number in group)
        ranges.append(f"{first}-{others[-1]}" if others else str(first))
    return ",".join(ranges)


def _short(run: Run, runs: Sequence[Run]) -> str:
    """The name of a run, to the second if that tells it from the others."""
    short = run.name.rpartition("-")[0]
    return run.name if sum(other.name.startswith(short) for other in runs) > 1 else short
