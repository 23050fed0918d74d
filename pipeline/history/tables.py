"""Tables of runs and of published versions for the terminal, in 80 columns."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.publishing.hold import Hold
from pipeline import durations
from pipeline.console import score_table
from pipeline.history.models import Model
from pipeline.history.runs import KILLED, RUNNING, Run

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
        styled[verdict] = f"[{_RUN_STYLES.get(row[verdict], 'default')}]{styled[verdict]}[/]"
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

    def line(name: str, value: object) -> None:
        if value not in ("", None):
            console.print(f"{name:<14} {escape(str(value))}", soft_wrap=True)

    console.print(f"[bold]{run.name}[/]: [{_RUN_STYLES.get(run.state, 'default')}]{run.state}[/]")
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


def show_models(console: Console, models: Sequence[Model], hold: Hold | None) -> None:
    """Prints one line for each version, and the hold that a rollback has left."""
    if not models:
        console.print("No versions yet.")
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        with_spans = any(model.run and model.run.facts.spans for model in models)
        for name in (
            "version",
            "state",
            "published",
            "F1",
            *(("spans",) if with_spans else ()),
            "run",
        ):
            table.add_column(name, no_wrap=True, justify="right" if name == "F1" else "left")
        table.add_column("corpus", overflow="ellipsis", no_wrap=True, ratio=1)
        for model in models:
            facts = model.run.facts if model.run else None
            table.add_row(
                str(model.version),
                f"[{_MODEL_STYLES.get(model.state, 'default')}]{model.state}[/]",
                _published_at(model),
                f"{facts.overall['f1']:.4f}" if facts and facts.overall else "",
                *([span_numbers(facts.spans) if facts else ""] if with_spans else []),
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
    facts = model.run.facts if model.run else None

    def line(name: str, value: object) -> None:
        if value not in ("", None):
            console.print(f"{name:<15}{escape(str(value))}", soft_wrap=True)

    console.print(
        f"[bold]{model.version}[/]: [{_MODEL_STYLES.get(model.state, 'default')}]{model.state}[/]"
    )
    line("folder", model.path)
    line("published", _published_at(model))
    line("types", ", ".join(model.types))
    line("signatures", model.signatures)
    if facts is None:
        console.print("ML Metadata has no run that published it")
        return
    line("run", facts.run)
    line("why", facts.because)
    line("corpus", f"{facts.corpus}, {facts.data}")
    line("spans", span_numbers(facts.spans))
    line("data", facts.data_hash[:16])
    line("configuration", facts.config_hash)
    line("code", facts.code_hash)
    line("packages", ", ".join(f"{name} {version}" for name, version in facts.packages.items()))
    if facts.overall:
        console.print()
        console.print(
            score_table(f"Entities on {facts.evaluated_on}", facts.per_type or {}, facts.overall)
        )


def _published_at(model: Model) -> str:
    return (
        f"{datetime.datetime.fromtimestamp(model.published):%Y-%m-%d %H:%M}"
        if model.published
        else ""
    )


def span_numbers(spans: Sequence[Mapping[str, int]]) -> str:
    """The numbers of spans, with ranges.

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
    """The name of a run, to the second if that tells it from the others."""
    short = run.name.rpartition("-")[0]
    return run.name if sum(other.name.startswith(short) for other in runs) > 1 else short
