"""How time and memory of reading, statistics and transform grow with the corpus.

    python benchmarks/growth.py CORPUS [--sizes 10000,30000,100000,300000] [--json FILE]

Repeats the train split of CORPUS until it has so many sentences, runs the graph up to Transform on it, each size in a
process of its own, and prints seconds and peak resident memory of each node.
The memory includes TFX itself; `before` is what the process takes once it has imported it.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from itertools import chain, islice, repeat
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--sizes", default="10000,30000,100000,300000")
    parser.add_argument("--json")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _measure(Path(options.folder))
        return
    rows = []
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            sentences = _repeat(options.corpus, size, Path(folder))
            command = [sys.executable, __file__, options.corpus, "--child", str(size), "--folder", folder]
            result = subprocess.run(
                command, check=False, stdout=subprocess.PIPE, text=True, stderr=(Path(folder) / "log.txt").open("w")
            )
            if result.returncode:
                sys.exit((Path(folder) / "log.txt").read_text()[-2_000:])
            rows.append({"sentences": sentences, **json.loads(result.stdout.splitlines()[-1])})
            _show(rows[-1])
    if options.json:
        Path(options.json).write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n")


def _show(row: dict) -> None:
    nodes = "  ".join(
        f"{name} {facts['seconds']:.1f} s {facts['peak_mb']:.0f} MB" for name, facts in row["nodes"].items()
    )
    print(f"{row['sentences']:>8,} sentences  before {row['before_mb']:.0f} MB  {nodes}", flush=True)


def _repeat(corpus: str, size: int, folder: Path) -> int:
    """Writes a corpus of `size` sentences of train, and dev and test of a tenth of that, in the folder."""
    from components.corpus import reading, writing

    splits = reading.find_splits(corpus)
    sentences = list(reading.read_split(splits, "train"))
    (folder / "corpus").mkdir()
    for split, count in (("train", size * 8 // 10), ("dev", size // 10), ("test", size // 10)):
        with (folder / "corpus" / f"{split}.conll").open("w", encoding="utf-8") as file:
            writing.write_conll(file, islice(chain.from_iterable(repeat(sentences)), count))
    return size


def _measure(folder: Path) -> None:
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
    from tfx.orchestration.pipeline import RunOptions

    from components import progress
    from components.corpus.reading import ReadOptions
    from pipeline import graph, orchestrators, survey
    from pipeline.config import Config
    from pipeline.observe import observed
    from pipeline.workdir import Workdir

    workdir = Workdir(folder / "work", "ner")
    workdir.make()
    watch = _Watch()
    progress.LOGGER.addHandler(watch)
    found = survey.look(str(folder / "corpus"), ReadOptions(), folder / "left-out.jsonl")
    corpus = graph.Corpus(found.splits, ReadOptions(), found.fingerprint, "growth")
    connection = orchestrators.connection(Config().metadata, workdir)
    whole = graph.create_pipeline(Config(), workdir, corpus, connection)
    before = _resident()
    with observed():
        BeamDagRunner().run(whole, run_options=RunOptions(to_nodes=["Transform"]))
    kept = {
        name: facts for name, facts in watch.nodes.items() if name in ("CorpusExampleGen", "StatisticsGen", "Transform")
    }
    print(json.dumps({"before_mb": before, "nodes": kept}), flush=True)
    os._exit(0)


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


class _Watch(logging.Handler):
    """Peak memory and seconds of each node, sampled twenty times a second."""

    def __init__(self):
        super().__init__()
        self.nodes: dict[str, dict[str, float]] = {}
        self._now, self._peak = "", 0.0
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            self._peak = max(self._peak, _resident())
            time.sleep(0.05)

    def emit(self, record: logging.LogRecord) -> None:
        if record.kind == "node_started":
            self._peak = 0.0
        elif record.kind == "node_ended":
            self.nodes[record.facts["node"]] = {"seconds": record.facts["seconds"], "peak_mb": self._peak}


if __name__ == "__main__":
    main()
