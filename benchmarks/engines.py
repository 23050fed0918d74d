"""Beam's steps on this machine and on a Flink cluster, one after the other: seconds, memory, and whether the results are equal.

    python benchmarks/engines.py CORPUS [--size N] [--shares N] [--until NODE] [--model DIR] [--folder DIR]
                                 [--json FILE]

Runs the pipeline on CORPUS with its default settings (and no gate), or on its train split repeated until it has N sentences (eight
tenths of them train, in 32 files), as far as NODE, and annotates the corpus's train sentences, as texts, with a model:
--model, else the one that the local run published. Then it does the same on the cluster of tests/flink/cluster.py, which
needs what `make flink` fetches, and whose parts share this machine's cores; there a stage is divided into so many --shares.
Compared are examples, statistics, vocabularies, transformed examples and annotations, each one by one; of a whole run also
the Evaluator's figures on the cluster with those of `evaluate` for the same model. Memory is the peak of the sum of all
processes, sampled twice a second: the command's own, and the cluster's Java and Python.
"""

import argparse
import contextlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import growth  # noqa: E402

_TRAIN_FILES = 32
_WORKDIRS = {"here": "work", "flink": "flink"}
_NODE = re.compile(r"^[✓=] (\w+) +([\d.]+) s  ran", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--size", type=int, metavar="N")
    parser.add_argument(
        "--shares", type=int, default=2, metavar="N", help="more than four take turns"
    )
    parser.add_argument("--until", metavar="NODE")
    parser.add_argument("--model", metavar="DIR")
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="keeps what the runs leave; started again with it, goes on where it was",
    )
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    from tests.flink.cluster import Cluster, missing

    if reason := missing():
        sys.exit(f"there can be no cluster here: {reason}")
    if options.until and not options.model:
        sys.exit("a run that ends early publishes no model: name one with --model")
    with contextlib.ExitStack() as stack:
        folder = Path(
            options.folder
            or stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        )
        folder.mkdir(parents=True, exist_ok=True)
        data, texts = _inputs(options.corpus, options.size, folder)
        model = options.model or str(folder / "work" / "serving" / "ner")
        kept = folder / "figures.json"
        found = (
            json.loads(kept.read_text())
            if kept.exists()
            else {"here": _nothing(), "flink": _nothing()}
        )
        found |= {
            "cores": os.cpu_count(),
            "corpus": Path(options.corpus).name,
            "sentences": options.size,
        }

        def measure(where: str, *arguments) -> None:
            try:
                _do(
                    found[where],
                    folder / _WORKDIRS[where],
                    data,
                    texts,
                    model,
                    options.until,
                    *arguments,
                )
            finally:
                kept.write_text(json.dumps(found, indent=1) + "\n")

        if "annotate" not in found["here"]["seconds"]:
            measure("here", [], {})
        if "annotate" not in found["flink"]["seconds"]:
            with Cluster(folder / "cluster", options.shares) as cluster:
                measure(
                    "flink",
                    cluster.settings,
                    {name: one.pid for name, one in cluster.processes.items()},
                )
        found["equal"] = {}
        for name, equal in _compared(folder, data, whole=not options.until):
            found["equal"][name] = equal
            print(f"{name}: {'equal' if equal else 'NOT EQUAL'}", flush=True)
    _show(found)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(0 if all(found["equal"].values()) else 1)


def _nothing() -> dict:
    return {"seconds": {}, "peak_mb": {}}


def _inputs(corpus: str, size: int | None, folder: Path) -> tuple[Path, Path]:
    """The corpus to run on, and a file of its texts."""
    if size:
        growth.repeat_corpus(corpus, size, folder, _TRAIN_FILES)
        return folder / "corpus", folder / "texts.jsonl"
    from components.corpus import reading

    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for sentence in reading.read_split(reading.find_splits(corpus), "train"):
            file.write(json.dumps({"text": " ".join(sentence.tokens)}, ensure_ascii=False) + "\n")
    return Path(corpus).resolve(), folder / "texts.jsonl"


def _do(
    figures: dict,
    workdir: Path,
    data: Path,
    texts: Path,
    model: str,
    until: str | None,
    settings: list[str],
    parts: dict[str, int],
) -> None:
    """Runs and annotates in one place; `figures` get the seconds of each step and the peaks of memory in MB.

    A run that goes on from an earlier one adds the steps that are new.
    """
    run = [
        "run",
        "--data",
        str(data),
        "--workdir",
        str(workdir),
        "--set",
        "gate.minimum_f1=0",
        *settings,
    ]
    annotate = [
        "annotate",
        "--input",
        str(texts),
        "--output",
        f"{workdir}-annotated",
        "--model",
        model,
        *settings,
    ]
    for name, command in (
        ("run", [*run, *(["--until", until] if until else [])]),
        ("annotate", annotate),
    ):
        code, said, seconds, peaks = _watched(command, parts)
        steps = {node: float(took) for node, took in _NODE.findall(said)}
        if name == "annotate" and not code:
            steps["annotate"] = seconds
        figures["seconds"] |= steps
        figures["peak_mb"] = {
            part: max(peak, figures["peak_mb"].get(part, 0.0)) for part, peak in peaks.items()
        }
        if code:
            sys.exit(said[-3_000:])


def _watched(
    arguments: list[str], parts: dict[str, int]
) -> tuple[int, str, float, dict[str, float]]:
    """A command's exit code, what it printed, its seconds, and the peaks of memory of itself and of the cluster's parts."""
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        peaks = {"command": 0.0, "java": 0.0, "workers": 0.0}
        roots = {
            "command": [process.pid],
            "java": [pid for name, pid in parts.items() if not name.startswith("workers")],
            "workers": [pid for name, pid in parts.items() if name.startswith("workers")],
        }
        sampler = threading.Thread(target=_sample, args=(process, roots, peaks), daemon=True)
        sampler.start()
        said = []
        for line in process.stdout:
            said.append(line)
            if _NODE.match(line):
                print(f"{time.monotonic() - began:8.1f}  {line.rstrip()}", flush=True)
        process.wait()
        sampler.join()
    return process.returncode, "".join(said), time.monotonic() - began, peaks


def _sample(
    process: subprocess.Popen, roots: dict[str, list[int]], peaks: dict[str, float]
) -> None:
    while process.poll() is None:
        for name, pids in roots.items():
            now = sum(growth.resident(one) for pid in pids for one in growth.tree(pid))
            peaks[name] = max(peaks[name], now)
        time.sleep(0.5)


def _compared(folder: Path, data: Path, whole: bool) -> Iterator[tuple[str, bool]]:
    """Names of what was compared, with whether it is equal."""
    from tests.flink import artifacts

    here, flink = folder / "work", folder / "flink"

    def same(read: Callable[..., dict], *arguments) -> bool:
        first, second = read(here, *arguments), read(flink, *arguments)
        return bool(first) and first == second

    yield "examples", same(artifacts.examples, "CorpusExampleGen", "examples")
    yield "statistics", same(artifacts.statistics)
    yield "vocabularies", same(artifacts.vocabularies)
    yield "transformed examples", same(artifacts.examples, "Transform", "transformed_examples")
    first, second = (artifacts.annotations(Path(f"{where}-annotated")) for where in (here, flink))
    yield "annotations", bool(first) and first == second
    if whole:
        yield "the Evaluator's figures", _evaluates_alike(flink, data, folder / "evaluated.json")


def _evaluates_alike(workdir: Path, data: Path, file: Path) -> bool:
    """Whether the Evaluator gave the run's model the figures that `evaluate` gives it without Beam."""
    from components.corpus import reading

    (test,) = reading.find_splits(str(data)).files["test"]
    evaluate = [
        "evaluate",
        "--model",
        str(workdir / "serving" / "ner"),
        "--data",
        test,
        "--json",
        str(file),
    ]
    code, said, _, _ = _watched(evaluate, {})
    if code:
        sys.exit(said[-3_000:])
    run = max(path for path in (workdir / "runs").iterdir() if (path / "outcome.json").exists())
    evaluator, alone = (json.loads(path.read_text()) for path in (run / "outcome.json", file))
    return all(
        math.isclose(evaluator["overall"][name], alone["overall"][name])
        for name in evaluator["overall"]
    )


def _show(found: dict) -> None:
    print(f"\n{found['cores']} cores\n{'':>24} {'here':>10} {'Flink':>10}")
    for step, seconds in found["flink"]["seconds"].items():
        here = found["here"]["seconds"].get(step)
        print(f"{step:>24} {'' if here is None else f'{here:8.1f} s'} {seconds:8.1f} s")
    for part, peak in found["flink"]["peak_mb"].items():
        here = found["here"]["peak_mb"].get(part)
        print(f"{part:>24} {'' if here is None else f'{here:7,.0f} MB'} {peak:7,.0f} MB")


if __name__ == "__main__":
    main()
