"""Trains and measures tfx-ner, CRFsuite and spaCy on one corpus, in one run, on the same cores.

    make benchmark CORPUS=DIR [SEEDS=3] [JSON=FILE] [VECTORS=FILE]

makes the environment that CRFsuite and spaCy are installed in, and runs this.
"""

import contextlib
import datetime
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder: its modules are imported as benchmarks.…

import click  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from components.errors import UserError  # noqa: E402

_WIDEST = 200  # characters that the table may take


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.argument("corpus")
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    metavar="N",
    help="Models of tfx-ner to train.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write the figures here as JSON; - is standard output.",
)
@click.option("--vectors", metavar="FILE", help="Pretrained word vectors, for tfx-ner alone.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="A setting of tfx-ner's, as tfx-ner run takes it; may be given again. scheme, bad_lines and encoding are also"
    " how the corpus is read for the others.",
)
@click.option(
    "--lang",
    "language",
    default="xx",
    show_default=True,
    help="spaCy's language, as en; xx is for any.",
)
@click.option(
    "--spacy-max-steps",
    "spacy_steps",
    type=click.IntRange(1),
    metavar="N",
    help="Stop spaCy's training early. Only for trying this out: the figures of such a run compare nothing.",
)
@click.option(
    "--keep",
    metavar="DIR",
    help="Keep the models, logs and predictions (CoNLL, the last column predicted) here.",
)
def compare(
    corpus: str,
    seeds: int,
    json_file: Optional[str],
    vectors: Optional[str],
    assignments: tuple[str, ...],
    language: str,
    spacy_steps: Optional[int],
    keep: Optional[str],
) -> None:
    """Train and measure tfx-ner, CRFsuite and spaCy on CORPUS, on the same cores.

    CORPUS is a file or a folder, in any form that tfx-ner reads. All train on the same sentences, one after the other, have the
    same dev, and are measured on the same test; their F1 is counted by the same function. How fast they tag is measured in
    turn.
    """
    from benchmarks.comparison import machine, tools
    from benchmarks.comparison.corpus import write_out
    from benchmarks.comparison.notes import notes
    from benchmarks.comparison.options import Options
    from benchmarks.comparison.results import table
    from components.tagger.vectors import dimensions_of
    from pipeline import config
    from pipeline.commands import options as shared

    shared.refuse_unwritable(json_file)
    settings = config.load(None, assignments, {"vectors": vectors})
    if settings.vectors:
        dimensions_of(settings.vectors)
    if not tools.OTHERS.exists():
        raise UserError(
            f"{tools.OTHERS.parents[1]}: not here; make benchmark makes it, and runs this"
        )

    chosen = Options(
        seeds,
        assignments,
        os.path.abspath(settings.vectors) if settings.vectors else None,
        language,
        spacy_steps,
    )
    reading = settings.read_options
    began = datetime.datetime.now().astimezone()
    progress = Console(highlight=False, stderr=True)

    def tell(what: str) -> None:
        progress.print(f"{datetime.datetime.now():%H:%M:%S} {what}", soft_wrap=True, markup=False)

    with _folder(keep) as folder:
        written = write_out(corpus, reading, folder)
        tools.prepare(written, chosen, folder)
        trained = [
            train(written, chosen, folder, tell)
            for train in (tools.tfx_ner, tools.crfsuite, tools.spacy)
        ]
        measured = tools.measured(trained, tell)
    this = machine.this()
    told = notes(measured, written, chosen, this)
    # As wide as it comes: a table cut to a narrow screen, or to the 80 columns of a file, has lost what it is for.
    screen = Console(highlight=False, stderr=json_file == "-", width=_WIDEST)
    _show(screen, corpus, written, table(measured, written.evaluated_on), told)
    shared.write_json(
        {
            "date": began.isoformat(timespec="seconds"),
            "machine": asdict(this),
            "corpus": {
                "path": corpus,
                "evaluated_on": written.evaluated_on,
                "splits": written.sizes,
            },
            "settings": asdict(chosen),
            "tools": {tool.name: tool.as_dict() for tool in measured},
            "notes": told,
        },
        json_file,
    )


@contextlib.contextmanager
def _folder(keep: Optional[str]) -> Iterator[Path]:
    """A new folder for what is made, gone afterwards unless it is `keep`, or a tool failed: its log is in there.

    Raises UserError where `keep` is not empty, or cannot be made.
    """
    if keep:
        folder = Path(keep).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = any(folder.iterdir())
        except OSError as error:
            raise UserError(
                f"--keep {keep}: cannot make this folder ({error.strerror}); name another"
            ) from None
        if taken:
            raise UserError(
                f"--keep {keep}: found a folder that is not empty; expected an empty or a new one"
            )
        yield folder
        return
    from benchmarks.comparison.cost import Failed

    folder = Path(tempfile.mkdtemp(prefix="tfx-ner-benchmark-"))
    try:
        yield folder
    except Failed:
        raise
    except BaseException:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _show(screen: Console, name: str, corpus, cells: list[list[str]], notes: Sequence[str]) -> None:
    sizes = ", ".join(f"{split} {size['sentences']:,}" for split, size in corpus.sizes.items())
    tokens = sum(size["tokens"] for size in corpus.sizes.values())
    screen.print(
        f"\n{Path(name).name}: {sizes} sentences; {tokens:,} tokens\n", markup=False, soft_wrap=True
    )
    head, *rows = cells
    table = Table(box=None, pad_edge=False)
    for number, title in enumerate(head):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    screen.print(table)
    screen.print()
    for note in notes:
        screen.print(note, markup=False, soft_wrap=True)


def main() -> None:
    """The program: what goes wrong is told in one line on standard error."""
    from benchmarks.comparison.cost import Failed

    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # what runs is stopped, as with Ctrl-C
    try:
        compare.main(prog_name="compare.py", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except UserError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(2)
    except Failed as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        print("benchmark: stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
