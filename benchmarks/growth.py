"""How time, memory and disk of each node, and of annotation, grow with the number of sentences.

    python benchmarks/growth.py CORPUS [--sizes 10000,100000,1000000] [--json FILE] [--plot FILE.svg]

Repeats the train split of CORPUS until it has so many sentences (eight tenths train, one dev, one test), runs the graph up to
the Evaluator on it, with one epoch, and annotates as many texts with the model by one process and by two. Each size runs in
processes of its own. Of each node it gives seconds, seconds of processor (user and system, of every process), peak resident
memory, and what it leaves on the disk. The memory includes TFX itself; `before` is what the process takes once it has imported
it. JSON and plot are written anew after each node, and figures that the JSON has and that are not measured again are kept.
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
_KEPT = ("CorpusExampleGen", "StatisticsGen", "Transform", "Trainer", "Evaluator")
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
        default=_KEPT[-1],
        help="the last node to run, none for annotation alone",
    )
    parser.add_argument(
        "--model", metavar="DIR", help="the model to annotate with, where the Trainer is not run"
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="of one size: goes on from what lies there, which is not measured again",
    )
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _measure(Path(options.child), options.last)
        return
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.folder and len(sizes) > 1:
        parser.error("--folder is of one size; name one with --sizes")
    rows = _earlier(options.json)
    for size in sizes:
        row = next(
            (one for one in rows if one["sentences"] == size), {"sentences": size, "nodes": {}}
        )
        rows = sorted(
            [*(one for one in rows if one is not row), row], key=lambda one: one["sentences"]
        )
        with contextlib.ExitStack() as stack:
            folder = options.folder or stack.enter_context(
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            )
            for name, facts in _of_size(
                options.corpus, size, Path(folder), options.last, options.model
            ):
                row["nodes"][name] = facts
                print(
                    f"{size:>9,}  {name:<17} {facts['seconds']:>8.1f} s  processor {facts['processor']:>8.1f} s"
                    f"  {facts['peak_mb']:>7,.0f} MB  disk {facts['disk_mb']:>8,.1f} MB",
                    flush=True,
                )
                _keep(rows, options.json, options.plot)


def _earlier(file: str | None) -> list[dict]:
    return json.loads(Path(file).read_text())["rows"] if file and Path(file).exists() else []


def _keep(rows: list[dict], file: str | None, plot: str | None) -> None:
    from benchmarks import growth_plot

    if file:
        Path(file).write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n")
    if plot:
        Path(plot).write_text(growth_plot.svg(rows), encoding="utf-8")


def _of_size(
    corpus: str, size: int, folder: Path, last: str, model: str | None
) -> Iterator[tuple[str, dict]]:
    """Measures one size: names of nodes with their figures, as each is done."""
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
    """Writes `size` sentences in the folder, unless they are there: as a corpus, its train in so many files, and as texts."""
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
    """Annotates the texts by so many processes; the command that starts them is measured with them."""
    output = folder / f"found-{workers}"
    shutil.rmtree(output, ignore_errors=True)  # annotation goes on where it was, too
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
    """Seconds of processor that this process and those that it has waited for took."""
    return sum(os.times()[:4])


def resident(process: int | str = "self") -> float:
    """Resident memory in MB; 0 for a process that has gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_MB
    except OSError:
        return 0.0


def tree(root: int) -> set[int]:
    """A process and those that it started, and they."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has gone
            continue
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _disk_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


class _Watch:
    """Prints seconds, processor, memory and disk of each node when it ends; memory is sampled twenty times a second."""

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
        elif isinstance(event, progress.NodeEnded) and event.node in _KEPT and not event.cached:
            self.end(event.node)


if __name__ == "__main__":
    main()
