"""`tfx-ner check`."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

import click
from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands import options
from pipeline.console import BAR_WIDTH
from pipeline.exits import BAD_INPUT, DONE

if TYPE_CHECKING:
    from components.corpus.check import CheckReport

# Without --all the report fits a terminal of 24 lines: at most this many lines of notes, types and findings, with
# the title, the table of figures and the summary.
_NOTE_LINES, _TYPE_LINES, _FINDING_LINES = 3, 4, 6
_MARKS = {"good": "[green]✔[/]", "warning": "[yellow]⚠[/]", "failure": "[red]✘[/]"}


@click.command()
@click.argument("path")
@options.json_file
@click.option(
    "--all", "show_all", is_flag=True, help="Show all findings, also if they do not fit a screen."
)
@options.reading
def check(
    path: str, json_file: Optional[str], show_all: bool, assignments: tuple[str, ...]
) -> None:
    """Check a corpus before a run: sizes, types, and problems in the data, the worst first.

    Exits with 2 if a run on it would be refused.
    """
    from components.corpus.check import check_corpus

    options.refuse_unwritable(json_file)
    report = check_corpus(options.fetched(path), options.read_options(assignments))
    if json_file != "-":
        _show(Console(highlight=False), report, show_all)
    options.write_json(report.as_dict(), json_file)
    sys.exit(BAD_INPUT if report.failed else DONE)


def _show(console: Console, report: "CheckReport", show_all: bool) -> None:
    if report.failed and not any(figures.sentences for figures in report.splits.values()):
        # Nothing was read, so nothing but the reason is worth a line.
        for finding in report.findings:
            if finding.level == "failure":
                console.print(f"{_MARKS['failure']} {escape(finding.text)}", soft_wrap=True)
        return
    read_as = ", ".join(filter(None, (report.formats, report.scheme)))
    console.print(f"[bold]{escape(str(report.path))}[/] {read_as}", soft_wrap=True)
    all_notes = [escape(note) for note in report.notes]
    notes = all_notes if show_all else _fitting(all_notes, _NOTE_LINES, console.width)
    for note in notes:
        console.print(note, soft_wrap=True)
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
    few = types if show_all or len(types) <= _TYPE_LINES else types[: _TYPE_LINES - 1]
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
    texts = [f"{_MARKS[finding.level]} {escape(finding.text)}" for finding in report.findings]
    room = (
        _FINDING_LINES
        + _NOTE_LINES
        + _TYPE_LINES
        - _lines(notes, console.width)
        - len(types[:_TYPE_LINES])
    )
    shown = texts if show_all else _fitting(texts, room, console.width)
    for text in shown:
        console.print(text, soft_wrap=True)
    hidden = len(texts) - len(shown) + len(all_notes) - len(notes)
    console.print(
        f"{report.count('good')} good, {report.count('warning')} to look at,"
        f" {report.count('failure')} in the way of a run"
        + (f"; {hidden} more with --all" if hidden else "")
    )


def _fitting(texts: Sequence[str], room: int, width: int) -> Sequence[str]:
    """The first texts that fit into `room` lines of a terminal, at least one text."""
    count = next(
        (n for n in range(1, len(texts)) if _lines(texts[: n + 1], width) > room), len(texts)
    )
    return texts[:count]


def _lines(texts: Sequence[str], width: int) -> int:
    """The number of lines that texts take in a terminal of that width."""
    return sum(max(1, -(-Text.from_markup(text).cell_len // width)) for text in texts)
