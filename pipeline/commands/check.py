"""`tfx-ner check`."""

import sys
from collections import Counter
from typing import Optional

import click
from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands import options
from pipeline.console import BAR_WIDTH
from pipeline.exits import BAD_INPUT, DONE

_MARKS = {"good": "[green]✔[/]", "warning": "[yellow]⚠[/]", "failure": "[red]✘[/]"}


@click.command()
@click.argument("path")
@options.json_file
@options.reading
def check(path: str, json_file: Optional[str], assignments: tuple[str, ...]) -> None:
    """Look at a corpus before time is spent on it: sizes, types, and whatever is odd in it.

    Ends with 2 if a run on it would be refused.
    """
    from components.corpus.check import check_corpus

    options.refuse_unwritable(json_file)
    report = check_corpus(options.fetched(path), options.read_options(assignments))
    if json_file != "-":
        _show(Console(highlight=False), report)
    options.write_json(report.as_dict(), json_file)
    sys.exit(BAD_INPUT if report.failed else DONE)


def _show(console: Console, report) -> None:
    scheme = f", {report.scheme}" if report.scheme else ""
    console.print(f"[bold]{escape(str(report.path))}[/]{scheme}", soft_wrap=True)
    for note in report.notes:
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
    for type_ in sorted(counts):
        table.add_row(
            f"  {escape(type_)}",
            *(f"{figures.types.get(type_, 0):,}" for figures in report.splits.values()),
            Bar(max(counts.values()), 0, counts[type_], width=BAR_WIDTH),
        )
    console.print(table)
    console.print()
    for finding in report.findings:
        console.print(f"{_MARKS[finding.level]} {escape(finding.text)}", soft_wrap=True)
    console.print()
    console.print(
        f"{report.count('good')} good, {report.count('warning')} to look at,"
        f" {report.count('failure')} in the way of a run"
    )
