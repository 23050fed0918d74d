"""`tfx-ner evaluate`."""

import contextlib
import os
from collections.abc import Iterator
from itertools import chain
from typing import Optional

import click
from rich.console import Console

from components.errors import UserError
from pipeline.commands import options


@click.command()
@click.option(
    "--model", required=True, metavar="DIR", help="A published version, or the folder of versions."
)
@click.option(
    "--data",
    required=True,
    metavar="FILE",
    help="A labelled file; of a folder, the split it would be evaluated on.",
)
@click.option(
    "--from-text",
    is_flag=True,
    help="Join the tokens to plain text first and let the model tokenise.",
)
@options.json_file
@click.option(
    "--predictions", metavar="FILE", help="Write CoNLL here, the model's tags as a third column."
)
@options.reading
def evaluate(
    model: str,
    data: str,
    from_text: bool,
    json_file: Optional[str],
    predictions: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """Score a published model on labelled text: entities, exact span and type."""
    reading = options.read_options(assignments)
    options.refuse_unwritable(json_file, predictions)
    sentences = _begun(_sentences(options.fetched(data), reading))

    from components.corpus.formats.conll import write_conll
    from components.export.evaluation import Evaluation
    from components.export.published_model import PublishedModel

    evaluation = Evaluation(PublishedModel(model), from_text)
    pairs = evaluation.predictions(sentences)
    if predictions:
        with _written(predictions) as file:
            kept: list = []
            write_conll(file, _first(pairs, kept), predictions=_taken(kept))
    else:
        for _ in pairs:
            pass
    report = evaluation.report
    if json_file != "-":
        from pipeline.console import score_table

        per_type = {name: counts.as_dict() for name, counts in report.per_type.items()}
        console = Console(highlight=False)
        console.print(
            score_table(
                "Entities (exact span and type, IOB2 after repair)",
                per_type,
                report.overall.as_dict(),
            )
        )
        speed = report.tokens / report.seconds if report.seconds else 0
        console.print(
            f"{report.sentences:,} sentences, {report.tokens:,} tokens in {report.seconds:.1f} s"
            f" ({speed:,.0f} tokens a second)"
        )
    options.write_json(report.as_dict(), json_file)


def _sentences(data: str, reading) -> Iterator:
    from components.corpus.reading import find_splits, read_sentences, read_split

    if os.path.isdir(data):
        splits = find_splits(data, need_train=False)
        return read_split(splits, splits.evaluation, reading)
    return read_sentences(data, reading)


def _begun(sentences: Iterator) -> Iterator:
    """The same sentences, the first one read: a file that is no corpus is refused before the model is loaded."""
    return chain([next(sentences)], sentences)


def _first(pairs, kept: list) -> Iterator:
    """The sentences of pairs; each's prediction is put into `kept` for the writer to take right after."""
    for sentence, found in pairs:
        kept.append(found)
        yield sentence


def _taken(kept: list) -> Iterator:
    while kept:
        yield kept.pop()


@contextlib.contextmanager
def _written(path: str):
    """A file that appears whole or not at all. Raises UserError where it cannot be written."""
    partial = f"{path}.partial"
    try:
        with open(partial, "w", encoding="utf-8", newline="\n") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot write ({error.strerror}); name a file that can be written"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
