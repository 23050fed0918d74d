"""Runs Beam's steps on this machine and on a Flink cluster, and compares time, memory and results.

    python benchmarks/engines.py CORPUS [--size N] [--shares N] [--until NODE] [--model DIR] [--folder DIR]
                                 [--json FILE]

Runs the pipeline on CORPUS with default settings (and no gate) up to NODE, and annotates the train
sentences as texts with --model or with the model that the local run published. With --size, the train
split is repeated until it has N sentences (80 % train, in 32 files). Then it does the same on the
cluster of tests/flink/cluster.py, which needs what `make flink` fetches and shares this machine's
cores; --shares is the parallelism there. Examples, statistics, vocabularies, transformed examples and
annotations are compared one by one, and for a whole run the Evaluator's figures on the cluster with
those of `evaluate` for the same model. Memory is the peak of the sum over all processes, sampled twice
a second: the command's own, and the cluster's Java and Python.
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
_WORKDIRS = {"local": "work", "flink": "flink"}
_NODE = re.compile(r"^[✓=] (\w+) +([\d.]+) s  ran", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--size", type=int, metavar="N")
    parser.add_argument(
        "--shares",
        type=int,
        default=2,
        metavar="N",
        help="parallelism; more than four shares take turns",
    )
    parser.add_argument("--until", metavar="NODE")
    parser.add_argument("--model", metavar="DIR")
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="keep the results here, or continue from there",
    )
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    from tests.flink.cluster import Cluster, missing

    if reason := missing():
        sys.exit(f"a cluster cannot be started: {reason}")
    if options.until and not options.model:
        sys.exit("a run that stops early publishes no model; name one with --model")
    with contextlib.ExitStack() as stack:
        folder = Path(
            options.folder
            or stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        )
        folder.mkdir(parents=True, exist_ok=True)
        data, texts = _inputs(options.corpus, options.size, folder)
        model = options.model or str(folder / "work" / "serving" / "ner")
        kept = folder / "figures.json"
        figures = (
            json.loads(kept.read_text())
            if kept.exists()
            else {"local": _no_figures(), "flink": _no_figures()}
        )
        figures |= {
            "cores": os.cpu_count(),
            "corpus": Path(options.corpus).name,
            "sentences": options.size,
        }

        def measure(where: str, *arguments) -> None:
            try:
                _do(
                    figures[where],
                    folder / _WORKDIRS[where],
                    data,
                    texts,
                    model,
                    options.until,
                    *arguments,
                )
            finally:
                kept.write_text(json.dumps(figures, indent=1) + "\n")

        if "annotate" not in figures["local"]["seconds"]:
            measure("local", [], {})
        if "annotate" not in figures["flink"]["seconds"]:
            with Cluster(folder / "cluster", options.shares) as cluster:
                measure(
                    "flink",
                    cluster.settings,
                    {name: process.pid for name, process in cluster.processes.items()},
                )
        figures["equal"] = {}
        for name, equal in _compared(folder, data, whole=not options.until):
            figures["equal"][name] = equal
            print(f"{name}: {'equal' if equal else 'NOT EQUAL'}", flush=True)
    _show(figures)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(0 if all(figures["equal"].values()) else 1)


def _no_figures() -> dict:
    return {"seconds": {}, "peak_mb": {}}


def _inputs(corpus: str, size: int | None, folder: Path) -> tuple[Path, Path]:
    """Returns the corpus to run on, and a file of its texts."""
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
    """Runs and annotates, and adds the seconds of each step and the peak memory in MB to `figures`.

    A run that continues an earlier one adds only new steps.
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
        code, output, seconds, peaks = _watched(command, parts)
        steps = {node: float(took) for node, took in _NODE.findall(output)}
        if name == "annotate" and not code:
            steps["annotate"] = seconds
        figures["seconds"] |= steps
        figures["peak_mb"] = {
            part: max(peak, figures["peak_mb"].get(part, 0.0)) for part, peak in peaks.items()
        }
        if code:
            sys.exit(output[-3_000:])


def _watched(
    arguments: list[str], parts: dict[str, int]
) -> tuple[int, str, float, dict[str, float]]:
    """Runs a command and returns its exit code, output, seconds and the peak memory of each part."""
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
        lines = []
        for line in process.stdout:
            lines.append(line)
            if _NODE.match(line):
                print(f"{time.monotonic() - began:8.1f}  {line.rstrip()}", flush=True)
        process.wait()
        sampler.join()
    return process.returncode, "".join(lines), time.monotonic() - began, peaks


def _sample(
    process: subprocess.Popen, roots: dict[str, list[int]], peaks: dict[str, float]
) -> None:
    while process.poll() is None:
        for name, pids in roots.items():
            now = sum(growth.resident(child) for pid in pids for child in growth.tree(pid))
            peaks[name] = max(peaks[name], now)
        time.sleep(0.5)


def _compared(folder: Path, data: Path, whole: bool) -> Iterator[tuple[str, bool]]:
    """Yields the name of each comparison and whether the results are equal."""
    from tests.flink import artifacts

    local, flink = folder / "work", folder / "flink"

    def same(read: Callable[..., dict], *arguments) -> bool:
        first, second = read(local, *arguments), read(flink, *arguments)
        return bool(first) and first == second

    yield "examples", same(artifacts.examples, "CorpusExampleGen", "examples")
    yield "statistics", same(artifacts.statistics)
    yield "vocabularies", same(artifacts.vocabularies)
    yield "transformed examples", same(artifacts.examples, "Transform", "transformed_examples")
    first, second = (artifacts.annotations(Path(f"{where}-annotated")) for where in (local, flink))
    yield "annotations", bool(first) and first == second
    if whole:
        yield "the Evaluator's figures", _evaluates_alike(flink, data, folder / "evaluated.json")


def _evaluates_alike(workdir: Path, data: Path, file: Path) -> bool:
    """Whether the Evaluator's figures equal those of `evaluate`, which does not use Beam."""
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
    code, output, _, _ = _watched(evaluate, {})
    if code:
        sys.exit(output[-3_000:])
    run = max(path for path in (workdir / "runs").iterdir() if (path / "outcome.json").exists())
    evaluator, alone = (json.loads(path.read_text()) for path in (run / "outcome.json", file))
    return all(
        math.isclose(evaluator["overall"][name], alone["overall"][name])
        for name in evaluator["overall"]
    )


def _show(figures: dict) -> None:
    print(f"\n{figures['cores']} cores\n{'':>24} {'this machine':>10} {'Flink':>10}")
    for step, seconds in figures["flink"]["seconds"].items():
        local = figures["local"]["seconds"].get(step)
        print(f"{step:>24} {'' if local is None else f'{local:8.1f} s'} {seconds:8.1f} s")
    for part, peak in figures["flink"]["peak_mb"].items():
        local = figures["local"]["peak_mb"].get(part)
        print(f"{part:>24} {'' if local is None else f'{local:7,.0f} MB'} {peak:7,.0f} MB")


if __name__ == "__main__":
    main()
