"""`tfx-ner predict`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Optional

import click

from components.errors import UserError
from pipeline.commands import options
from pipeline.exits import FAILED

_TIMEOUT = 30.0  # seconds
_PATIENT = 100  # retries; the time runs out before


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]…")
@click.option(
    "--model",
    metavar="DIR",
    help="A published version, or the folder of versions: it is loaded here.",
)
@click.option(
    "--server",
    metavar="URL",
    help="A server that has the model: http://HOST:8501 or https://… (REST), grpc://HOST:8500 or grpcs://… (gRPC).",
)
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="Texts, one a line; standard input if neither is given.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl", "conll", "html"]),
    default="table",
    show_default=True,
)
@click.option(
    "--model-name", metavar="NAME", help="With --server: the model's name there.  [default: ner]"
)
@click.option(
    "--version-label",
    metavar="LABEL",
    help="With --server: the version of this label, not the newest.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help=f"With --server: the longest to wait for one answer, retries included.  [default: {_TIMEOUT:g}]",
)
@click.option(
    "--ca-file",
    metavar="FILE",
    help="With https and grpcs: certificates to trust instead of the system's.",
)
@options.minimum_score
def predict(
    texts: tuple[str, ...],
    model: Optional[str],
    server: Optional[str],
    input_file: Optional[str],
    form: str,
    model_name: Optional[str],
    version_label: Optional[str],
    timeout: Optional[float],
    ca_file: Optional[str],
    minimum_score: float,
) -> None:
    """Find the entities in text.

    The texts come from the arguments, a file, or standard input; the model from a folder or a server: give one of --model
    and --server. Long input streams through, in order, with a bar on the terminal if the output goes elsewhere.

    A text that the server refuses is reported with its line number and does not stop the others; the command then ends
    with 1. It is left out of the output, but for jsonl, which holds {"text": …, "error": …} in its place.
    """
    if bool(model) == bool(server):
        found = "both --model and" if model else "neither --model nor"
        raise click.UsageError(f"found {found} --server; expected one of them")
    for_servers = {
        "--model-name": model_name,
        "--version-label": version_label,
        "--timeout": timeout,
        "--ca-file": ca_file,
    }
    if model and (given := [name for name, value in for_servers.items() if value is not None]):
        raise click.UsageError(f"found {given[0]} without --server; expected them together")
    if texts and input_file:
        raise UserError("found both texts and --input; expected one of them")

    from pipeline.commands.texts import Texts, with_bar

    source = Texts(texts, input_file and options.fetched(input_file))
    if model:
        from components.export import output_formats
        from components.export.published_model import PublishedModel

        loaded = PublishedModel(model)
        predictions = loaded.predict_iter(source, minimum_score=minimum_score)
        _write(output_formats.WRITERS[form](with_bar(predictions, source)))
        return

    from serving.client import Client, SettingsError

    ask = partial(
        Client,
        server,
        model_name or "ner",
        label=version_label,
        timeout=timeout or _TIMEOUT,
        ca_file=ca_file,
    )
    try:
        client = ask()
    except SettingsError as error:
        raise UserError(str(error)) from None
    with client:
        client.check()  # a server that is gone, or has another model, is told of once and soon
    tally = _Tally(source.place)
    with ask(retries=_PATIENT) as client:  # one that answered before will be back
        predictions = tally.over(
            client.predict_iter(source, minimum_score=minimum_score, return_errors=True)
        )
        _write(_pieces(form, with_bar(predictions, source)))
    if tally.failed:
        print(f"tfx-ner: {tally.failed:,} of {tally.all:,} texts failed", file=sys.stderr)
        sys.exit(FAILED)


def _write(pieces: Iterable[str]) -> None:
    for piece in pieces:
        sys.stdout.write(piece)
    sys.stdout.flush()


class _Tally:
    """Counts texts and those that failed, and reports these on standard error by their place."""

    def __init__(self, place: Callable[[int], str]):
        self._place = place
        self.all = self.failed = 0

    def over(self, attempts: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Passes texts on with what came of them."""
        from serving.client import ServerError

        try:
            for text, found in attempts:
                self.all += 1
                if isinstance(found, ServerError):
                    self.failed += 1
                    print(
                        f"tfx-ner: {self._place(self.all)}: {' '.join(str(found).split())}",
                        file=sys.stderr,
                    )
                yield text, found
        except ServerError as error:
            if not self.all:
                raise
            raise type(error)(
                error.server, f"{error.message}; {self.all:,} texts were answered before"
            ) from error


def _pieces(form: str, attempts: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """What is written of texts with their entities or their error."""
    from components.export import output_formats
    from serving.client import ServerError

    if form == "jsonl":
        for text, found in attempts:
            if isinstance(found, ServerError):
                yield json.dumps({"text": text, "error": found.message}, ensure_ascii=False) + "\n"
            else:
                yield from output_formats.jsonl([(text, found)])
    else:
        yield from output_formats.WRITERS[form](
            pair for pair in attempts if not isinstance(pair[1], ServerError)
        )
