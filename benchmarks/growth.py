"""Measures how time, memory and disk of each node, and of annotation, grow with the corpus.

    python benchmarks/growth.py CORPUS [--sizes 10000,100000,1000000] [--json FILE]

Repeats the train split of CORPUS until it has the given number of sentences (80 % train, 10 % dev,
10 % test), runs the pipeline on it up to the Evaluator with one epoch, and annotates the same
number of texts with one process and with two. For each step it reports seconds, processor seconds
(user and system, of all processes), peak resident memory, and disk usage. The memory includes TFX,
and "preflight" includes the start of the program. JSON is written after each step.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import common, pipeline_steps  # noqa: E402
from benchmarks.pipeline_steps import Step  # noqa: E402

_SETTINGS = ["--set=training.epochs=1", "--set=gate.minimum_f1=0"]
_WORKERS = (1, 2)  # processes of annotation


def main() -> None:
    """Reads the command line, measures and prints."""
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
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.folder and len(sizes) > 1:
        parser.error("--folder needs exactly one size; name it with --sizes")
    rows = []
    for size in sizes:
        nodes = {}
        rows.append({"sentences": size, "nodes": nodes})
        with contextlib.ExitStack() as stack:
            folder = options.folder or stack.enter_context(
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            )
            pipeline_steps.repeat_corpus(options.corpus, size, Path(folder))
            for name, step, disk_mb in _measure(Path(folder), options.last, options.model):
                nodes[name] = asdict(step) | {"disk_mb": disk_mb}
                print(
                    f"{size:>9,}  {name:<21} {step.seconds:>8.1f} s  processor {step.processor:>8.1f} s"
                    f"  {step.peak_mb['command']:>7,.0f} MB  disk {disk_mb:>8,.1f} MB",
                    flush=True,
                )
                common.write_json(options.json, {"rows": rows})


def _measure(folder: Path, last: str, model: str | None) -> Iterator[tuple[str, Step, float]]:
    """Yields the name of each step, its cost, and the MB that it wrote to disk."""
    if last != "none":
        corpus, workdir = folder / "corpus", folder / "work"
        run = ["run", "--data", str(corpus), "--workdir", str(workdir), *_SETTINGS]
        for name, step in pipeline_steps.run_steps([*run, "--until", last]):
            yield name, step, _disk_mb(workdir / "artifacts" / name)
        model = next(map(str, workdir.glob("artifacts/Trainer/model/*/Format-Serving")), model)
    for workers in _WORKERS if model else ():
        output = folder / f"annotated-{workers}"
        shutil.rmtree(output, ignore_errors=True)  # annotation would continue there
        annotate = ["annotate", "--input", str(folder / "texts.jsonl"), "--output", str(output)]
        annotate += ["--model", model, "--set", f"beam.workers={workers}"]
        for _, step in pipeline_steps.run_steps(annotate):
            yield f"annotate, {workers} process{'es' * (workers > 1)}", step, _disk_mb(output)


def _disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
