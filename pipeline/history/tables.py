"""Runs as a user reads them, in 80 columns."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline import durations
from pipeline.console import score_table
from pipeline.history.runs import KILLED, RUNNING, Run

_STYLES = {"published": "green", "canary": "green", "unchanged": "dim", "refused": "yellow", "held": "yellow",
           "bad input": "red", "failed": "red", "stopped": "red", KILLED: "red", RUNNING: "cyan"}  # fmt: skip
_WIDEST_SPANS, _NARROWEST_WHY = 9, 8  # in characters


def show_runs(console: Console, runs: Sequence[Run]) -> None:
    """A line a run."""
    if not runs:
        console.print("No runs yet.")
        return
    with_spans = any(run.facts.spans for run in runs)
    rows = [_row(run, runs, with_spans) for run in runs]
    names = ("run", "why", *(("spans",) if with_spans else ()), "F1", "verdict", "version", "took")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    widths = {name: max(map(len, (name, *cells))) for name, *cells in zip(names, *rows)}
    widths["spans"] = min(widths.get("spans", 0), _WIDEST_SPANS)
    others = sum(width + 1 for name, width in widths.items() if name in names and name != "why")
    widths["why"] = max(_NARROWEST_WHY, min(widths["why"], console.width - others))
    for name in names:
        right = name in ("F1", "took")
        table.add_column(
            name,
            width=widths[name],
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if right else "left",
        )
    for row in rows:
        verdict = names.index("verdict")
        styled = [escape(cell) for cell in row]
        styled[verdict] = f"[{_STYLES.get(row[verdict], 'default')}]{styled[verdict]}[/]"
        table.add_row(*styled)
    console.print(table)


def _row(run: Run, runs: Sequence[Run], with_spans: bool) -> list[str]:
    facts = run.facts
    return [
        _short(run, runs),
        facts.because,
        *([span_numbers(facts.spans)] if with_spans else []),
        f"{facts.overall['f1']:.4f}" if facts.overall else "",
        run.state,
        facts.version if run.state in ("published", "canary", "held") else "",
        durations.shown(facts.seconds) if facts.seconds is not None else "",
    ]


def show_run(
    console: Console,
    run: Run,
    nodes: Sequence[Mapping[str, Any]],
    earlier: Optional[Run],
    changed: Mapping[str, tuple[Any, Any]],
    folder: Path,
) -> None:
    """Everything of one run."""
    facts = run.facts

    def line(name: str, value: object) -> None:
        if value not in ("", None):
            console.print(f"{name:<14} {escape(str(value))}", soft_wrap=True)

    console.print(f"[bold]{run.name}[/]: [{_STYLES.get(run.state, 'default')}]{run.state}[/]")
    line("why", facts.because)
    line(
        "started",
        f"{datetime.datetime.fromtimestamp(facts.started):%Y-%m-%d %H:%M:%S} on {facts.host}",
    )
    line("took", durations.shown(facts.seconds) if facts.seconds is not None else "")
    line("error", facts.error)
    for reason in facts.reasons:
        line("reason", reason)
    line("version", facts.version)
    line("folder", folder if folder.is_dir() else f"{folder} (gone)")
    console.print()
    line("corpus", f"{facts.corpus}, {facts.data}")
    line("spans", span_numbers(facts.spans))
    line("sentences", ", ".join(f"{split} {count:,}" for split, count in facts.sentences.items()))
    line("data", facts.data_hash[:16])
    line("configuration", facts.config_hash)
    line("code", facts.code_hash)
    line("packages", ", ".join(f"{name} {version}" for name, version in facts.packages.items()))
    if earlier and changed:
        console.print(f"\nSettings changed since {earlier.name}", style="bold")
        for key, (old, new) in changed.items():
            line(key, f"{old} -> {new}")
    if nodes:
        console.print("\nNodes", style="bold")
    for node in nodes:
        state = node.get("state") or ("cached" if node["cached"] else "ran")
        reason = f": {node['reason']}" if node.get("reason") else ""
        console.print(
            f"{node['node']:<19}{node['seconds']:7.1f} s  {state}{escape(reason)}", soft_wrap=True
        )
    if facts.overall:
        console.print()
        console.print(
            score_table(f"Entities on {facts.evaluated_on}", facts.per_type or {}, facts.overall)
        )
    if facts.before:
        console.print(f"The model that served: F1 {facts.before['f1']:.4f} on the same data")


def span_numbers(spans: Sequence[Mapping[str, int]]) -> str:
    """Spans in short.

    >>> span_numbers([{"number": 4, "version": 0}, {"number": 5, "version": 2}, {"number": 6, "version": 0}])
    '4-6'
    >>> span_numbers([{"number": 1, "version": 0}, {"number": 3, "version": 0}])
    '1,3'
    """
    groups: list[list[int]] = []
    for number in sorted(span["number"] for span in spans):
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ",".join(
        str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups
    )


def _short(run: Run, runs: Sequence[Run]) -> str:
    """The name to the second, where that is enough to tell it from the others."""
    short = run.name.rpartition("-")[0]
    return run.name if sum(other.name.startswith(short) for other in runs) > 1 else short
