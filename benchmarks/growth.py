"""Measures how time, memory and disk of each node, and of annotation, grow with the corpus.

    python benchmarks/growth.py CORPUS [--sizes 10000,100000,1000000] [--flink SHARES] [--json FILE]

Repeats the train split of CORPUS until it has the given number of sentences (80 % train, 10 % dev,
10 % test), runs the pipeline on it up to the Evaluator with one epoch, and annotates the same
number of texts with one process and with two. For each step it reports seconds, processor seconds
(user and system, of all processes), peak resident memory, and disk usage. The memory includes TFX,
and "preflight" includes the start of the program. JSON is written after each step.

With --flink it does the same again on the cluster of tests/flink/cluster.py, which needs what `make
flink` fetches and shares this machine's cores, and compares the results: examples, statistics,
vocabularies, transformed examples and annotations. SHARES is the parallelism there; more than four
shares take turns. Memory is then also that of the cluster's Java and Python processes.
"""

import contextlib
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import common, pipeline_steps  # noqa: E402
from benchmarks.pipeline_steps import Step  # noqa: E402

_MOST_TRAIN_FILES = 32  # each is read by one worker
_WORKERS = (1, 2)  # processes of annotation on this machine


def main() -> None:
    """Reads the command line, measures and prints; exits with 1 if Flink's results differ."""
    parser = common.make_parser(__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument(
        "--last",
        metavar="NODE",
        default="Evaluator",
        help="the last node to run; none for annotation alone",
    )
    parser.add_argument(
        "--model", metavar="DIR", help="the model to annotate with if the Trainer does not run"
    )
    parser.add_argument(
        "--folder", metavar="DIR", help="keep the files of one size here, or continue from them"
    )
    parser.add_argument("--flink", type=int, metavar="SHARES", help="measure on a cluster, too")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.folder and len(sizes) > 1:
        parser.error("--folder needs exactly one size; name it with --sizes")
    if options.flink and options.last not in ("Transform", "Trainer", "Evaluator"):
        parser.error("--flink compares the results of Transform; run at least up to it")
    rows, differences = [], []
    for size in sizes:
        with contextlib.ExitStack() as stack:
            folder = Path(
                options.folder
                or stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            )
            train_files = min(_MOST_TRAIN_FILES, size // 1000 or 1)
            pipeline_steps.repeat_corpus(options.corpus, size, folder, train_files)
            row: dict = {"sentences": size}
            rows.append(row)
            for engine, name, step, disk_mb in _measure(folder, options):
                row.setdefault(engine, {})[name] = asdict(step) | {"disk_mb": disk_mb}
                memory = ", ".join(f"{group} {peak:,.0f}" for group, peak in step.peak_mb.items())
                print(
                    f"{size:>9,}  {engine:<6} {name:<21} {step.seconds:>8.1f} s"
                    f"  processor {step.processor:>8.1f} s  disk {disk_mb:>8,.1f} MB  memory {memory} MB",
                    flush=True,
                )
                common.write_json(options.json, {"rows": rows})
            if options.flink:
                differences += _differences(folder)
    for difference in differences:
        print(f"NOT EQUAL: {difference}")
    sys.exit(bool(differences))


def _measure(folder: Path, options: Namespace) -> Iterator[tuple[str, str, Step, float]]:
    """Yields the engine and the name of each step, its cost, and the MB that it wrote to disk."""
    for step in _measure_engine(folder / "local", options, [], {}, _WORKERS):
        yield "local", *step
    if not options.flink:
        return
    from tests.flink.cluster import Cluster, missing

    if reason := missing():
        sys.exit(f"a cluster cannot be started: {reason}")
    with Cluster(folder / "cluster", options.flink) as cluster:
        others: dict[str, list[int]] = {"Java": [], "workers": []}
        for name, process in cluster.processes.items():
            others["workers" if name.startswith("workers") else "Java"].append(process.pid)
        for step in _measure_engine(folder / "flink", options, cluster.settings, others, [None]):
            yield "Flink", *step


def _measure_engine(
    workdir: Path,
    options: Namespace,
    settings: Sequence[str],
    others: Mapping[str, Sequence[int]],
    workers: Sequence[int | None],
) -> Iterator[tuple[str, Step, float]]:
    """Runs the pipeline and annotates.

    Args:
        workdir: the work folder, beside the corpus and the texts.
        options: of the command line.
        settings: of the engine.
        others: processes whose memory is measured too.
        workers: the numbers of processes to annotate with; None leaves it to the engine.
    """
    if options.last != "none":
        run = ["run", "--data", str(workdir.with_name("corpus")), "--workdir", str(workdir)]
        run += ["--set=training.epochs=1", "--set=gate.minimum_f1=0", "--until", options.last]
        for name, step in pipeline_steps.run_steps([*run, *settings], others):
            yield name, step, _disk_mb(workdir / "artifacts" / name)
    # Both engines annotate with the same model.
    models = workdir.with_name("local").glob("artifacts/Trainer/model/*/Format-Serving")
    model, texts = next(map(str, models), options.model), workdir.with_name("texts.jsonl")
    for count in workers if model else ():
        output = Path(f"{workdir}-annotated")
        shutil.rmtree(output, ignore_errors=True)  # annotation would continue there
        annotate = ["annotate", "--input", str(texts), "--output", str(output), "--model", model]
        annotate += [*settings, *([f"--set=beam.workers={count}"] if count else [])]
        for name, step in pipeline_steps.run_steps(annotate, others):
            yield f"{name} ({count or 'all'})", step, _disk_mb(output)


def _differences(folder: Path) -> list[str]:
    """The results that are not the same on Flink as on this machine."""
    from tests.flink import artifacts

    readers = {
        "examples": lambda work: artifacts.examples(work, "CorpusExampleGen", "examples"),
        "statistics": artifacts.statistics,
        "vocabularies": artifacts.vocabularies,
        "transformed examples": lambda work: artifacts.examples(
            work, "Transform", "transformed_examples"
        ),
        "annotations": lambda work: artifacts.annotations(Path(f"{work}-annotated")),
    }
    return [
        name for name, read in readers.items() if read(folder / "local") != read(folder / "flink")
    ]


def _disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
