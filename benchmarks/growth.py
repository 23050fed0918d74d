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
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice, repeat
from pathlib import Path

import psutil

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import common  # noqa: E402
from components.corpus import reading  # noqa: E402
from components.corpus.formats import conll  # noqa: E402
from components.corpus.splits import find_splits  # noqa: E402

_MOST_TRAIN_FILES = 32  # each is read by one worker
_WORKERS = (1, 2)  # processes of annotation on this machine
# What a run prints when it has read the corpus, and when a node has run.
_PREFLIGHT = re.compile(r"^.+: train [\d,]+.* sentences$")
_NODE = re.compile(r"^✓ (\w+) +[\d.]+ s  ran")


@dataclass(frozen=True)
class Step:
    """What a step cost."""

    seconds: float  # on the clock
    processor: float  # processor seconds, user and system, of the command and its child processes
    # By group of processes, the peak of the sum of their resident memory, in MB.
    peak_mb: dict[str, float]


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
            repeat_corpus(options.corpus, size, folder, train_files)
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
        for name, step in run_steps([*run, *settings], others):
            yield name, step, _disk_mb(workdir / "artifacts" / name)
    # Both engines annotate with the same model.
    models = workdir.with_name("local").glob("artifacts/Trainer/model/*/Format-Serving")
    model, texts = next(map(str, models), options.model), workdir.with_name("texts.jsonl")
    for count in workers if model else ():
        output = Path(f"{workdir}-annotated")
        shutil.rmtree(output, ignore_errors=True)  # annotation would continue there
        annotate = ["annotate", "--input", str(texts), "--output", str(output), "--model", model]
        annotate += [*settings, *([f"--set=beam.workers={count}"] if count else [])]
        for name, step in run_steps(annotate, others):
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


# Running commands


def repeat_corpus(corpus: str, size: int, folder: Path, train_files: int = 1) -> None:
    """Repeats the train split of a corpus, as a corpus of 80 % train and as texts.

    Args:
        corpus: the corpus to repeat.
        size: the number of sentences.
        folder: gets the folder `corpus` and the file `texts.jsonl`, unless it has them.
        train_files: the number of files of the train split.
    """
    if (folder / "texts.jsonl").exists():
        return
    sentences = list(reading.read_split(find_splits(corpus), "train"))
    (folder / "corpus").mkdir(parents=True)
    sizes = {"dev": size // 10, "test": size // 10}
    for index in range(train_files):
        sizes[f"train-{index:03}"] = size * 8 // 10 // train_files
    for name, count in sizes.items():
        with (folder / "corpus" / f"{name}.conll").open("w", encoding="utf-8") as file:
            conll.write_conll(file, islice(chain.from_iterable(repeat(sentences)), count))
    lines = [
        json.dumps({"text": " ".join(sentence.tokens)}, ensure_ascii=False) + "\n"
        for sentence in sentences
    ]
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(islice(chain.from_iterable(repeat(lines)), size))


def run_steps(
    arguments: Sequence[str], others: Mapping[str, Sequence[int]] = {}
) -> Iterator[tuple[str, Step]]:
    """Runs a command of tfx-ner, and yields each step's name and cost when it ends.

    The steps of `run` are "preflight", which includes the start of the program, and the nodes that
    are not cached. Another command is one step of its own name. Ends the program with the command's
    output if the command fails.

    Args:
        arguments: the command line, without the program.
        others: ids of processes by group, whose memory is measured too. The group "command" is the
            command with its child processes.
    """
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    output = []
    with subprocess.Popen(
        command, cwd=common.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        meter = _Meter({"command": [process.pid], **others})
        for line in process.stdout:
            output.append(line)
            if _PREFLIGHT.match(line):
                yield "preflight", meter.finish_step()
            elif node := _NODE.match(line):
                yield node[1], meter.finish_step()
        process.wait()
    if process.returncode:
        sys.exit("".join(output)[-3_000:])
    if arguments[0] != "run":
        yield arguments[0], meter.finish_step()


class _Meter:
    """Samples processor time and memory of groups of processes while a command runs.

    Args:
        groups: process ids by group; child processes count.
    """

    def __init__(self, groups: Mapping[str, Sequence[int]]):
        self._groups = groups
        self._began, self._processor, self._processor_before = time.monotonic(), 0.0, 0.0
        self._peaks = dict.fromkeys(groups, 0.0)
        threading.Thread(target=self._sample_often, daemon=True).start()

    def finish_step(self) -> Step:
        """Returns the cost since the last call, or since the start."""
        self._sample()
        now = time.monotonic()
        step = Step(now - self._began, self._processor - self._processor_before, self._peaks)
        self._began, self._processor_before = now, self._processor
        self._peaks = dict.fromkeys(self._groups, 0.0)
        return step

    def _sample_often(self) -> None:
        while self._sample():
            time.sleep(0.1)

    def _sample(self) -> bool:
        """Takes a sample; returns whether the command still runs."""
        for group, roots in self._groups.items():
            memory_mb, processor = _usage(roots)
            self._peaks[group] = max(self._peaks[group], memory_mb)
            if group == "command":
                # Less than before when a child process has just ended, or the command has.
                self._processor = max(self._processor, processor)
                is_running = bool(memory_mb)
        return is_running


def _usage(roots: Sequence[int]) -> tuple[float, float]:
    """The resident memory in MB and the processor seconds of processes with their children."""
    memory_mb = processor = 0.0
    for pid in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    memory_mb += process.memory_info().rss / 1e6
                    # Of the process, and of its child processes that ended.
                    processor += sum(process.cpu_times()[:4])
    return memory_mb, processor


if __name__ == "__main__":
    main()
