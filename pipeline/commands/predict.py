"""`tfx-ner predict`: find the entities in texts, with a model or a server."""

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import click
from rich.console import Console

from components.errors import UserError
from pipeline.commands import options
from pipeline.console import text_bar
from pipeline.exits import FAILED

_TIMEOUT_SECONDS = 30.0
_MANY_RETRIES = 100  # the time runs out before

_T = TypeVar("_T")


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]…")
@click.option(
    "--model",
    metavar="DIR",
    help="A published version, or the folder of versions; loaded in this process.",
)
@click.option(
    "--server",
    metavar="URL",
    help="A server with the model: http://HOST:8501 or https://… (REST), grpc://HOST:8500 or grpcs://… (gRPC).",
)
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="File with one text per line; by default standard input, if no texts are given.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "jsonl", "conll", "html"]),
    default="table",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--model-name", metavar="NAME", help="With --server: name of the model.  [default: ner]"
)
@click.option(
    "--version-label",
    metavar="LABEL",
    help="With --server: label of the version; by default the newest.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help=f"With --server: longest time for one answer, retries included.  [default: {_TIMEOUT_SECONDS:g}]",
)
@click.option(
    "--ca-file",
    metavar="FILE",
    help="With https and grpcs: certificates to trust in place of the system's.",
)
@options.minimum_score
def predict(
    texts: tuple[str, ...],
    model: str | None,
    server: str | None,
    input_file: str | None,
    output_format: str,
    minimum_score: float,
    **server_options: Any,
) -> None:
    """Find the entities in text.

    The texts are arguments, lines of a file, or lines of standard input. Give either --model or
    --server. Long input is processed as a stream, in order; a bar on the terminal shows the progress
    if the output goes to a file.

    A text that the server refuses is reported with its line number, and the other texts are
    processed; the exit code is then 1. The output leaves it out; jsonl has
    {"text": …, "error": …} in its place.
    """
    if bool(model) == bool(server):
        given = "both --model and" if model else "neither --model nor"
        raise click.UsageError(f"found {given} --server; expected one of them")
    useless = [name for name, value in server_options.items() if value is not None]
    if model and useless:
        option = f"--{useless[0].replace('_', '-')}"
        raise click.UsageError(f"found {option} without --server; expected them together")
    if texts and input_file:
        raise UserError("found both texts and --input; expected one of them")

    source = TextSource(texts, input_file and options.fetched(input_file))
    if model:
        from components.export import output_formats
        from components.export.published_model import PublishedModel

        published = PublishedModel(model)
        predictions = published.predict_iter(source, minimum_score=minimum_score)
        writer = output_formats.WRITERS[output_format]
        if output_format == "conll":
            writer = partial(writer, granularity=published.card.granularity)
        _write(writer(with_bar(predictions, source)))
    else:
        _predict_on_server(server, source, output_format, minimum_score, **server_options)


def _predict_on_server(
    server: str,
    source: "TextSource",
    output_format: str,
    minimum_score: float,
    model_name: str | None,
    version_label: str | None,
    timeout: float | None,
    ca_file: str | None,
) -> None:
    from serving.client import Client, SettingsError

    new_client = partial(
        Client,
        server,
        model_name or "ner",
        label=version_label,
        timeout=timeout or _TIMEOUT_SECONDS,
        ca_file=ca_file,
    )
    try:
        client = new_client()
    except SettingsError as error:
        raise UserError(str(error)) from None
    with client:
        client.check()  # reports a missing server or another model at once
    failures = _FailureReport(source.position)
    with new_client(retries=_MANY_RETRIES) as client:  # a server that restarts comes back
        answers = client.predict_iter(source, minimum_score=minimum_score, return_errors=True)
        _write(_format_answers(output_format, with_bar(failures.report(answers), source)))
    if failures.failed:
        print(f"tfx-ner: {failures.failed:,} of {failures.total:,} texts failed", file=sys.stderr)
        sys.exit(FAILED)


class TextSource:
    """Iterates once over texts: arguments, or the lines of a file or of standard input.

    Bytes that are not UTF-8 are read as U+FFFD.

    Args:
      arguments: texts from the command line.
      path: a file; None for standard input. Ignored if there are arguments.

    Attributes:
      done: bytes read so far; for arguments, texts.
      size: value of `done` at the end; None if unknown.

    Raises:
      UserError: the file cannot be read.
    """

    def __init__(self, arguments: tuple[str, ...], path: str | None) -> None:
        self.done, self.size = 0, None
        self._has_arguments, self._name = bool(arguments), path or "standard input"
        if arguments:
            self.size, self._lines = len(arguments), (os.fsencode(text) for text in arguments)
            return
        try:
            self._lines = open(path, "rb") if path else sys.stdin.buffer  # noqa: SIM115 - read by __iter__
            status = os.fstat(self._lines.fileno())
        except OSError as error:
            # Standard input need not be a file: tests replace it by a buffer.
            if path:
                problem = f"cannot read ({error.strerror}); expected a text file, one text a line"
                raise UserError(f"{path}: {problem}") from None
        else:
            self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.done += 1 if self._has_arguments else len(line)
            text = line.decode("utf-8", "replace")
            yield text if self._has_arguments else text.rstrip("\r\n")

    def position(self, number: int) -> str:
        """Where a text is from, for messages; numbers start at 1."""
        return f"text {number}" if self._has_arguments else f"{self._name}:{number}"


def with_bar(items: Iterable[_T], source: TextSource) -> Iterator[_T]:
    """Passes items on, and shows the progress on standard error.

    Only if standard error is a terminal and standard output is not: the output shows the progress too.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from items
        return
    with text_bar(Console(stderr=True)) as bar:
        task = bar.add_task("", total=source.size, lines=0, speed=0.0)
        began = time.monotonic()
        for count, item in enumerate(items, start=1):
            yield item
            seconds = max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=source.done, lines=count, speed=count / seconds)


class _FailureReport:
    """Counts texts, and reports the failed ones on standard error with their position."""

    def __init__(self, position: Callable[[int], str]) -> None:
        self._position = position
        self.total = self.failed = 0

    def report(self, answers: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Passes on each text with its entities or its error."""
        from serving.client import ServerError

        try:
            for text, answer in answers:
                self.total += 1
                if isinstance(answer, ServerError):
                    self.failed += 1
                    message = " ".join(str(answer).split())
                    print(f"tfx-ner: {self._position(self.total)}: {message}", file=sys.stderr)
                yield text, answer
        except ServerError as error:
            if not self.total:
                raise
            message = f"{error.message}; {self.total:,} texts were answered before"
            raise type(error)(error.server, message) from error


def _format_answers(output_format: str, answers: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Formats texts with their entities; the errors of failed texts appear in jsonl only."""
    from components.export import output_formats
    from serving.client import ServerError

    if output_format != "jsonl":
        predictions = (pair for pair in answers if not isinstance(pair[1], ServerError))
        yield from output_formats.WRITERS[output_format](predictions)
        return
    for text, answer in answers:
        if isinstance(answer, ServerError):
            yield json.dumps({"text": text, "error": answer.message}, ensure_ascii=False) + "\n"
        else:
            yield from output_formats.jsonl([(text, answer)])


def _write(pieces: Iterable[str]) -> None:
    for piece in pieces:
        sys.stdout.write(piece)
    sys.stdout.flush()
