"""Trains and measures tfx-ner, CRFsuite and spaCy on one corpus, in one run, on the same cores.

    make benchmark CORPUS=DIR [SEEDS=3] [JSON=FILE] [VECTORS=FILE] [OPTIONS="--lang en"]

makes the environment that CRFsuite and spaCy are installed in, and runs this. CORPUS is a file or a
folder, in any form that tfx-ner reads. All tools train on the same sentences, one after the other,
have the same dev, and are measured on the same test; their F1 is counted by the same function. How
fast they tag is measured in turn.
"""

import contextlib
import datetime
import os
import shutil
import signal
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import common  # noqa: E402
from benchmarks.comparison import results, tools  # noqa: E402
from benchmarks.comparison.programs import CommandFailed  # noqa: E402
from components.errors import UserError  # noqa: E402
from components.tagger.vectors import dimensions_of  # noqa: E402
from pipeline import config  # noqa: E402
from pipeline.commands.options import refuse_unwritable  # noqa: E402


def main() -> None:
    """Reads the command line and compares; an error is one line on standard error."""
    parser = common.make_parser(__doc__)
    parser.add_argument("corpus")
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="models of tfx-ner to train (default: 3)"
    )
    parser.add_argument("--vectors", metavar="FILE", help="pretrained word vectors, for tfx-ner")
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting of tfx-ner run; may be given again. scheme, bad_lines and encoding are also"
        " how the corpus is read for the other tools",
    )
    parser.add_argument(
        "--lang",
        dest="language",
        default="xx",
        help="spaCy's language, such as en (default: xx, which is for any)",
    )
    parser.add_argument(
        "--spacy-max-steps",
        type=int,
        metavar="N",
        help="stop spaCy's training early, to try this benchmark: its figures compare nothing",
    )
    parser.add_argument(
        "--keep",
        metavar="DIR",
        help="keep models, logs and predictions (CoNLL, the last column predicted) here",
    )
    # Stops the running command too, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds {arguments.seeds}: expected 1 or more")
    try:
        compare(arguments)
    except (UserError, CommandFailed) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except KeyboardInterrupt:
        print("benchmark: stopped", file=sys.stderr)
        sys.exit(130)


def compare(arguments: Namespace) -> None:
    """Trains and measures all tools, and prints the table; raises UserError and CommandFailed."""
    refuse_unwritable(arguments.json)
    settings = config.load(None, arguments.assignments, {"vectors": arguments.vectors})
    if settings.vectors:
        dimensions_of(settings.vectors)
    if not tools.OTHERS.exists():
        raise UserError(
            f"{tools.OTHERS.parents[1]}: not here; make benchmark makes it, and runs this"
        )
    options = results.Options(
        arguments.seeds,
        tuple(arguments.assignments),
        os.path.abspath(settings.vectors) if settings.vectors else None,
        arguments.language,
        arguments.spacy_max_steps,
    )
    began = datetime.datetime.now().astimezone()
    with _work_folder(arguments.keep) as folder:
        corpus = tools.write_splits(arguments.corpus, settings.read_options, folder)
        tools.prepare_spacy(corpus, options, folder)
        models = [
            *tools.train_tfx_ner(corpus, options, folder),
            *tools.train_crfsuite(corpus, folder),
            *tools.train_spacy(corpus, options, folder),
        ]
        measured = tools.measure_speed(models)
    notes = results.notes(measured, corpus.evaluated_on, options, common.this_machine())
    sizes = ", ".join(f"{split} {size['sentences']:,}" for split, size in corpus.sizes.items())
    tokens = sum(size["tokens"] for size in corpus.sizes.values())
    print(f"\n{Path(arguments.corpus).name}: {sizes} sentences; {tokens:,} tokens\n")
    _print_columns(results.table(measured, corpus.evaluated_on))
    print("", *notes, sep="\n")
    common.write_json(
        arguments.json,
        {
            "date": began.isoformat(timespec="seconds"),
            "corpus": {
                "path": arguments.corpus,
                "evaluated_on": corpus.evaluated_on,
                "splits": corpus.sizes,
            },
            "settings": asdict(options),
            "tools": {tool.name: tool.as_dict() for tool in measured},
            "notes": notes,
        },
    )


def _print_columns(cells: Sequence[Sequence[str]]) -> None:
    """Prints rows of cells in columns; all but the first column are aligned to the right."""
    first, *others = [max(map(len, column)) for column in zip(*cells)]
    for title, *values in cells:
        aligned = (f"{value:>{width}}" for value, width in zip(values, others))
        print(f"{title:<{first}}", *aligned, sep="  ")


@contextlib.contextmanager
def _work_folder(keep: str | None) -> Iterator[Path]:
    """The folder `keep`, or a temporary one, which stays if a command fails: its log is in there.

    Raises UserError if `keep` is not empty, or cannot be made.
    """
    if keep:
        folder = Path(keep).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_empty = not any(folder.iterdir())
        except OSError as error:
            raise UserError(
                f"--keep {keep}: cannot make this folder ({error.strerror}); name another"
            ) from None
        if not is_empty:
            raise UserError(
                f"--keep {keep}: found a folder that is not empty; expected an empty or a new one"
            )
        yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="tfx-ner-benchmark-"))
    try:
        yield folder
    except CommandFailed:
        raise
    except BaseException:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
