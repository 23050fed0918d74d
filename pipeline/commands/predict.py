"""`tfx-ner predict`."""

import sys
from collections.abc import Iterator
from typing import Optional

import click

from components.errors import UserError


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]…")
@click.option("--model", required=True, metavar="DIR", help="A published version, or the folder of versions.")
@click.option("--input", "input_file", metavar="FILE", help="Texts, one a line; standard input if neither is given.")
@click.option(
    "--format", "form", type=click.Choice(["table", "jsonl", "conll", "html"]), default="table", show_default=True
)
def predict(texts: tuple[str, ...], model: str, input_file: Optional[str], form: str) -> None:
    """Find the entities in text."""
    if texts and input_file:
        raise UserError("found both texts and --input; expected one of them")
    lines = iter(texts) if texts else _lines(input_file)

    from serving import formats
    from serving.model import PublishedModel

    loaded = PublishedModel(model)
    for piece in formats.WRITERS[form](loaded.recognised(lines)):
        sys.stdout.write(piece)


def _lines(path: Optional[str]) -> Iterator[str]:
    """The lines of a file or of standard input, without their ends; what is not UTF-8 is read as U+FFFD.

    Raises UserError at once if there is no such file.
    """
    try:
        source = open(path, "rb") if path else sys.stdin.buffer  # noqa: SIM115 - it is read while texts are asked for
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror}); expected a text file, one text a line") from None
    return (line.decode("utf-8", "replace").rstrip("\r\n") for line in source)
