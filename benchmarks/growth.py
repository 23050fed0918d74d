"""Measures how time, memory and disk of each node, and of annotation, grow with the corpus.

    python benchmarks/growth.py CORPUS [--sizes 10000,100000,1000000] [--json FILE] [--plot FILE.svg]

Repeats the train split of CORPUS until it has the given number of sentences (80 % train, 10 % dev,
10 % test), runs the graph on it up to the Evaluator with one epoch, and annotates the same number of
texts with one process and with two. Each size runs in its own processes. For each node it reports
seconds, processor seconds (user and system, of all processes), peak resident memory, and disk usage.
The memory includes TFX; `before` is the memory of a process that has imported TFX. JSON and plot are
written after each node. Figures in the JSON that are not measured again are kept.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import chain, islice, repeat
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
_MEASURED_NODES = ("CorpusExampleGen", "StatisticsGen", "Transform", "Trainer", "Evaluator")
_WORKERS = (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE.svg")
    parser.add_argument(
        "--last",
        metavar="NODE",
        default=_MEASURED_NODES[-1],
        help="the last node to run; none for annotation alone",
    )
    parser.add_argument(
        "--model", metavar="DIR", help="the model to annotate with if the Trainer does not run"
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="continue an earlier run of one size in this folder",
    )
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _measure(Path(options.child), options.last)
        return
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.folder and len(sizes) > 1:
        parser.error("--folder needs exactly one size; name it with --sizes")
    rows = _load_rows(options.json)
    for size in sizes:
        row = next(
            (row for row in rows if row["sentences"] == size), {"sentences": size, "nodes": {}}
        )
        rows = sorted(
            [*(other for other in rows if other is not row), row],
            key=lambda other: other["sentences"],
        )
        with contextlib.ExitStack() as stack:
            folder = options.folder or stack.enter_context(
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            )
            for name, facts in _measure_size(
                options.corpus, size, Path(folder), options.last, options.model
            ):
                row["nodes"][name] = facts
                print(
                    f"{size:>9,}  {name:<17} {facts['seconds']:>8.1f} s  processor {facts['processor']:>8.1f} s"
                    f"  {facts['peak_mb']:>7,.0f} MB  disk {facts['disk_mb']:>8,.1f} MB",
                    flush=True,
                )
                _save(rows, options.json, options.plot)


def _load_rows(file: str | None) -> list[dict]:
    return json.loads(Path(file).read_text())["rows"] if file and Path(file).exists() else []


def _save(rows: list[dict], file: str | None, plot: str | None) -> None:
    from benchmarks import growth_plot

    if file:
        Path(file).write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n")
    if plot:
        Path(plot).write_text(growth_plot.svg(rows), encoding="utf-8")


def _measure_size(
    corpus: str, size: int, folder: Path, last: str, model: str | None
) -> Iterator[tuple[str, dict]]:
    """Yields the name and the figures of each node when it ends."""
    repeat_corpus(corpus, size, folder)
    if last != "none":
        command = [sys.executable, __file__, corpus, "--last", last, "--child", str(folder)]
        log = folder / "log.txt"
        with (
            log.open("w") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=errors) as run,
        ):
            for line in run.stdout:
                if line.startswith("{"):
                    yield from json.loads(line).items()
        if run.returncode:
            sys.exit(log.read_text()[-2_000:])
        model = next(map(str, folder.glob("work/artifacts/Trainer/model/*/Format-Serving")), model)
    for workers in _WORKERS if model else ():
        yield (
            f"annotate, {workers} process{'es' * (workers > 1)}",
            _annotated(folder, workers, model),
        )


def repeat_corpus(corpus: str, size: int, folder: Path, train_files: int = 1) -> None:
    """Writes `size` sentences into the folder, as a corpus and as texts, unless they exist.

    Args:
      corpus: the corpus to repeat.
      size: the number of sentences.
      folder: the folder to write to.
      train_files: the number of files of the train split.
    """
    from components.corpus import reading
    from components.corpus.formats import conll

    if (folder / "texts.jsonl").exists():
        return
    sentences = list(reading.read_split(reading.find_splits(corpus), "train"))
    (folder / "corpus").mkdir(parents=True)
    trains = (
        [f"train-{number:03}" for number in range(train_files)] if train_files > 1 else ["train"]
    )
    for name, count in (
        *((train, size * 8 // 10 // train_files) for train in trains),
        ("dev", size // 10),
        ("test", size // 10),
    ):
        with (folder / "corpus" / f"{name}.conll").open("w", encoding="utf-8") as file:
            conll.write_conll(file, islice(chain.from_iterable(repeat(sentences)), count))
    texts = [
        json.dumps({"text": " ".join(sentence.tokens)}, ensure_ascii=False) + "\n"
        for sentence in sentences
    ]
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(islice(chain.from_iterable(repeat(texts)), size))


def _measure(folder: Path, last: str) -> None:
    from components import progress
    from components.corpus.reading import ReadOptions
    from pipeline import graph, launch, metadata_store, preflight
    from pipeline.config import Config
    from pipeline.workdir import Workdir

    config = Config.model_validate({"training": {"epochs": 1}, "gate": {"minimum_f1": 0.0}})
    workdir = Workdir(folder / "work", "ner")
    workdir.make()
    watch = _Watch(workdir.artifacts)
    watch.begin()
    found = preflight.look(str(folder / "corpus"), ReadOptions(), folder / "left-out.jsonl")
    watch.end("survey")
    corpus = graph.Corpus(found.splits, ReadOptions(), found.fingerprint, "growth")
    whole = graph.create_pipeline(
        config, workdir, corpus, metadata_store.connection(config.metadata, workdir)
    )
    watch.begin()
    watch.end("before")
    with progress.listening(watch.handle):
        launch.run_graph(whole, "beam", "growth", until=last)
    sys.stdout.flush()
    os._exit(0)


def _annotated(folder: Path, workers: int, model: str) -> dict:
    """Annotates the texts with `workers` processes; the command itself is measured too."""
    output = folder / f"annotated-{workers}"
    shutil.rmtree(output, ignore_errors=True)  # annotation would continue there
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "annotate",
        "--input",
        str(folder / "texts.jsonl"),
    ]
    command += ["--output", str(output), "--model", model, "--set", f"beam.workers={workers}"]
    began, before, peak = time.monotonic(), processor(), 0.0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        (folder / "annotate.txt").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as run,
    ):
        while run.poll() is None:
            peak = max(peak, sum(resident(process) for process in tree(run.pid)))
            time.sleep(0.5)
    if run.returncode:
        sys.exit((folder / "annotate.txt").read_text()[-2_000:])
    seconds = json.loads((output / "_summary.json").read_text())["seconds"]
    return {
        "seconds": seconds,
        "with_start": time.monotonic() - began,
        "processor": processor() - before,
        "peak_mb": peak,
        "disk_mb": _disk_mb(output),
    }


def processor() -> float:
    """Processor seconds of this process and of the child processes that have ended."""
    return sum(os.times()[:4])


def resident(process: int | str = "self") -> float:
    """Resident memory of a process in MB; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_MB
    except OSError:
        return 0.0


def tree(root: int) -> set[int]:
    """Returns the ids of a process and all its descendants."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    processes = {root}
    while more := {child for child, parent in parents.items() if parent in processes} - processes:
        processes |= more
    return processes


def _disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


class _Watch:
    """Prints the figures of each node when it ends; memory is sampled 20 times a second."""

    def __init__(self, artifacts: Path):
        self._artifacts = artifacts
        self._began, self._processor, self._peak = 0.0, 0.0, 0.0
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            self._peak = max(self._peak, resident())
            time.sleep(0.05)

    def begin(self) -> None:
        self._began, self._processor, self._peak = time.monotonic(), processor(), resident()

    def end(self, name: str) -> None:
        facts = {
            "seconds": time.monotonic() - self._began,
            "processor": processor() - self._processor,
            "peak_mb": max(self._peak, resident()),
            "disk_mb": _disk_mb(self._artifacts / name),
        }
        print(json.dumps({name: facts}), flush=True)

    def handle(self, event) -> None:
        from components import progress

        if isinstance(event, progress.NodeStarted):
            self.begin()
        elif (
            isinstance(event, progress.NodeEnded)
            and event.node in _MEASURED_NODES
            and not event.cached
        ):
            self.end(event.node)


if __name__ == "__main__":
    main()
