"""`tfx-ner check`."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Optional

import click
from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands import options
from pipeline.console import BAR_WIDTH
from pipeline.exits import BAD_INPUT, DONE

if TYPE_CHECKING:
    from components.corpus.check import CheckReport

_SHOWN = 10  # findings, unless all are asked for
_SHOWN_TYPES = 12
_SHOWN_NOTES = 6
_MARKS = {"good": "[green]✔[/]", "warning": "[yellow]⚠[/]", "failure": "[red]✘[/]"}


@click.command()
@click.argument("path")
@options.json_file
@click.option("--all", "show_all", is_flag=True, help="Show all findings, not the first ten.")
@options.reading
def check(
    path: str, json_file: Optional[str], show_all: bool, assignments: tuple[str, ...]
) -> None:
    """Look at a corpus before time is spent on it: sizes, types, and whatever is odd in it.

    Ends with 2 if a run on it would be refused.
    """
    from components.corpus.check import check_corpus

    options.refuse_unwritable(json_file)
    report = check_corpus(options.fetched(path), options.read_options(assignments))
    if json_file != "-":
        _show(Console(highlight=False), report, show_all)
    options.write_json(report.as_dict(), json_file)
    sys.exit(BAD_INPUT if report.failed else DONE)


def _show(console: Console, report: "CheckReport", show_all: bool) -> None:
    scheme = f", {report.scheme}" if report.scheme else ""
    console.print(f"[bold]{escape(str(report.path))}[/]{scheme}", soft_wrap=True)
    for note in report.notes if show_all else report.notes[:_SHOWN_NOTES]:
        console.print(escape(note), soft_wrap=True)
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column(overflow="fold", min_width=16)
    for split in report.splits:
        table.add_column(split, justify="right", no_wrap=True)
    table.add_column(width=BAR_WIDTH)
    for name in ("sentences", "tokens", "entities", "documents", "longest"):
        table.add_row(
            name if name != "longest" else "longest sentence",
            *(f"{getattr(figures, name):,}" for figures in report.splits.values()),
        )
    table.add_row(
        "unseen in train",
        *(
            "" if figures.unseen is None else f"{figures.unseen:.0%}"
            for figures in report.splits.values()
        ),
    )
    counts = sum((Counter(figures.types) for figures in report.splits.values()), Counter())
    types = sorted(counts, key=lambda type_: (-counts[type_], type_))
    few = types if show_all or len(types) <= _SHOWN_TYPES else types[: _SHOWN_TYPES - 1]
    for type_ in few:
        table.add_row(
            f"  {escape(type_)}",
            *(f"{figures.types.get(type_, 0):,}" for figures in report.splits.values()),
            Bar(max(counts.values()), 0, counts[type_], width=BAR_WIDTH),
        )
    if len(few) < len(types):
        table.add_row(f"  {len(types) - len(few)} other types")
    console.print(table)
    console.print()
    shown = report.findings if show_all else report.findings[:_SHOWN]
    for finding in shown:
        console.print(f"{_MARKS[finding.level]} {escape(finding.text)}", soft_wrap=True)
    if len(shown) < len(report.findings):
        console.print(f"… and {len(report.findings) - len(shown)} more, with --all")
    console.print()
    console.print(
        f"{report.count('good')} good, {report.count('warning')} to look at,"
        f" {report.count('failure')} in the way of a run"
    )
