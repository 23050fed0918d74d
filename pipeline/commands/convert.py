"""`tfx-ner convert`."""

import click
from rich.console import Console
from rich.markup import escape

from pipeline.commands import options


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--to", "to", required=True, metavar="FORMAT", help="The format of OUT.")
@options.reading
def convert(source: str, target: str, to: str, assignments: tuple[str, ...]) -> None:
    """Convert the corpus file IN to another format.

    The format of IN is detected from its content. OUT must not exist. What FORMAT cannot hold is counted
    and reported. FORMAT is one of conll, jsonl, hf, parquet, gliner, labelstudio, csv, conllu, conll2012,
    pipes, webanno, brat, spacy.
    """
    from components.corpus.convert import convert as convert_file

    conversion = convert_file(source, target, to, options.read_options(assignments))
    screen = Console(highlight=False, stderr=True)
    screen.print(
        f"{escape(target)}: {conversion.sentences:,} sentences and {conversion.entities:,} entities"
        f" from {conversion.source_format}",
        soft_wrap=True,
    )
    for notice, count in conversion.notices.items():
        screen.print(
            escape(f"  {count:,} × {notice}" if count > 1 else f"  {notice}"), soft_wrap=True
        )
    for what, count in conversion.lost.items():
        screen.print(f"  [yellow]lost[/]: {what} of {count:,} sentences", soft_wrap=True)
    if conversion.rejected:
        screen.print(
            f"  [yellow]left out[/]: {conversion.rejected:,} sentences that cannot be read"
        )
