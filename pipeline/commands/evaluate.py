"""`tfx-ner evaluate`: scores of a published model on labelled text."""

import contextlib
import os
import shlex
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, tee
from typing import IO, TYPE_CHECKING

import click
from rich.console import Console

from components.errors import UserError
from pipeline.commands import options

if TYPE_CHECKING:
    from components.corpus.options import ReadOptions
    from components.corpus.records import BadLine, Notice
    from components.ner.scores import CorpusScores
    from components.ner.sentence import Sentence


@click.command()
@click.option(
    "--model", required=True, metavar="DIR", help="A published version, or the folder of versions."
)
@click.option(
    "--data",
    required=True,
    metavar="FILE",
    help="A labelled file, or a folder of which the evaluation split is used.",
)
@click.option(
    "--from-text",
    is_flag=True,
    help="Join the tokens to plain text first, and let the model tokenize it.",
)
@click.option(
    "--map",
    "maps",
    metavar="OLD=NEW",
    multiple=True,
    help="The model's name for a type of the data, or a file with one per line; may be repeated.",
)
@options.json_file
@click.option(
    "--predictions",
    metavar="FILE",
    help="Write a CoNLL file with the model's tags as a third column.",
)
@options.reading
def evaluate(
    model: str,
    data: str,
    from_text: bool,
    maps: tuple[str, ...],
    json_file: str | None,
    predictions: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Score a published model on labelled text: entities, exact span and type."""
    if maps:
        assignments = (*assignments, f"map={','.join(maps)}")
    reading = options.read_options(assignments)
    options.refuse_unwritable(json_file, predictions)
    counts = _LeftOut()
    # A published model keeps its tokenizer, whatever the settings say.
    reading = reading.model_copy(update={"tokenizer": _tokenizer_of(model)})
    sentences = _sentences(options.fetched(data), reading, counts)
    # The first sentence is read at once: a bad file is refused before the model is loaded.
    sentences = chain([next(sentences)], sentences)

    from components.corpus.formats.conll import write_conll
    from components.export.published_model import Evaluation, PublishedModel

    evaluation = Evaluation(PublishedModel(model), from_text)
    pairs = evaluation.predictions(sentences)
    if predictions:
        with _open_atomic(predictions) as file:
            first, second = tee(pairs)  # read in turn by the writer, so that few are kept
            labelled, predicted = (pair[0] for pair in first), (pair[1] for pair in second)
            write_conll(file, labelled, predictions=predicted)
    else:
        for _ in pairs:
            pass
    report = evaluation.scores
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
    for line in (*counts.lines(), *_unknown_types(report)):
        click.echo(line, err=True)
    options.write_json({**report.as_dict(), "left_out": counts.bad.count}, json_file)


class _LeftOut:
    """Counts the sentences that are left out, and the notices of the reader."""

    def __init__(self) -> None:
        from components.corpus.counts import Tally

        self.bad = Tally()
        self._notices: dict[str, Tally] = defaultdict(Tally)

    def add_bad(self, bad: "BadLine", raw: str) -> None:
        """Counts a sentence that cannot be read."""
        self.bad.add(str(bad))

    def add_notice(self, notice: "Notice") -> None:
        """Counts a notice of the reader."""
        self._notices[notice.what].add(f"{notice.file}:{notice.line}", notice.count)

    def lines(self) -> Iterator[str]:
        """The lines for the user."""
        if count := self.bad.count:
            yield f"{count} sentences cannot be read and are left out, the first: {self.bad.first}"
        for what, tally in self._notices.items():
            yield f"{tally.count} {what}, the first at {tally.first}"


def _unknown_types(report: "CorpusScores") -> Iterator[str]:
    """A line about types of the data that the model never predicts, and of the model that are not in the data."""
    in_data = {name for name, counts in report.per_type.items() if counts.support}
    predicted = {name for name, counts in report.per_type.items() if counts.tp + counts.fp}
    unknown, spare = sorted(in_data - predicted), sorted(predicted - in_data)
    if unknown and spare:
        yield (
            f"The model predicted no {', '.join(unknown)}; it predicted {', '.join(spare)}, which the data does not have."
            f" Where these are the same types, map them: --map {shlex.quote(f'{unknown[0]}={spare[0]}')}"
        )


def _tokenizer_of(model: str) -> str:
    """The granularity of a model's tokenizer; words where it has no card, which is an error later.

    Raises UserError where there is no model.
    """
    from components.export import card
    from components.export.published_model import find_version
    from components.ner.granularity import WORDS_NAME

    model_card = card.load_card(find_version(model))
    return model_card.tokenizer if model_card else WORDS_NAME


def _sentences(data: str, reading: "ReadOptions", counts: _LeftOut) -> "Iterator[Sentence]":
    """The sentences, with the model's tokens where the corpus has single characters."""
    from components.corpus.model_tokens import with_model_tokens
    from components.corpus.reading import read_sentences, read_split
    from components.corpus.splits import find_splits
    from components.ner.granularity import WORDS

    if os.path.isdir(data):
        splits = find_splits(data, need_train=False)
        for note in splits.notes:
            click.echo(note, err=True)
        sentences = read_split(
            splits, splits.evaluation, reading, counts.add_bad, on_notice=counts.add_notice
        )
    else:
        sentences = read_sentences(data, reading, counts.add_bad, counts.add_notice)
    granularity = reading.granularity or WORDS
    return (with_model_tokens(sentence, granularity) for sentence in sentences)


@contextlib.contextmanager
def _open_atomic(path: str) -> Iterator[IO[str]]:
    """Opens a file that appears when it is complete. Raises UserError if it cannot be written."""
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
