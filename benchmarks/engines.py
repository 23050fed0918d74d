"""Runs Beam's steps on this machine and on a Flink cluster, and compares time, memory and results.

    python benchmarks/engines.py CORPUS [--size N] [--shares N] [--until NODE] [--model DIR]
                                 [--folder DIR] [--json FILE]

Runs the pipeline on CORPUS with default settings (and no gate) up to NODE, and annotates the train
sentences as texts with --model or with the model that the local run published. With --size, the
train split is repeated until it has N sentences (80 % train, in 32 files). Then it does the same on
the cluster of tests/flink/cluster.py, which needs what `make flink` fetches and shares this
machine's cores; --shares is the parallelism there. Examples, statistics, vocabularies, transformed
examples and annotations are compared one by one, and for a whole run the Evaluator's figures on the
cluster with those of `evaluate` for the same model. Memory is the peak of the sum over all
processes: the command's own, and the cluster's Java and Python.
"""

import contextlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import common, pipeline_steps  # noqa: E402
from benchmarks.pipeline_steps import Step  # noqa: E402

_TRAIN_FILES = 32


def main() -> None:
    """Reads the command line, measures, compares and prints; exits with 1 if results differ."""
    parser = common.make_parser(__doc__)
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
    parser.add_argument("--folder", metavar="DIR", help="keep the results here")
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
        local, flink = folder / "local", folder / "flink"
        run = ["run", "--data", str(data), "--set", "gate.minimum_f1=0"]
        run += ["--until", options.until] if options.until else []
        model = options.model or str(local / "serving" / "ner")
        annotate = ["annotate", "--input", str(texts), "--model", model]

        def measure(workdir: Path, settings: list[str], others: Mapping[str, Sequence[int]]):
            steps = {}
            for command in (
                [*run, "--workdir", str(workdir)],
                [*annotate, "--output", f"{workdir}-annotated"],
            ):
                for name, step in pipeline_steps.run_steps([*command, *settings], others):
                    print(f"{workdir.name:>6} {name:>24} {step.seconds:8.1f} s", flush=True)
                    steps[name] = step
            return steps

        local_steps = measure(local, [], {})
        with Cluster(folder / "cluster", options.shares) as cluster:
            others: dict[str, list[int]] = {"Java": [], "workers": []}
            for name, process in cluster.processes.items():
                others["workers" if name.startswith("workers") else "Java"].append(process.pid)
            flink_steps = measure(flink, cluster.settings, others)
        equal = {}
        for name, equal[name] in _compare(local, flink, data, whole=not options.until):
            print(f"{name}: {'equal' if equal[name] else 'NOT EQUAL'}", flush=True)
    _print_table(local_steps, flink_steps)
    common.write_json(
        options.json,
        {
            "corpus": Path(options.corpus).name,
            "sentences": options.size,
            "local": {name: asdict(step) for name, step in local_steps.items()},
            "flink": {name: asdict(step) for name, step in flink_steps.items()},
            "equal": equal,
        },
    )
    sys.exit(0 if all(equal.values()) else 1)


def _inputs(corpus: str, size: int | None, folder: Path) -> tuple[Path, Path]:
    """Returns the corpus to run on, and a file of its texts."""
    if size:
        pipeline_steps.repeat_corpus(corpus, size, folder, _TRAIN_FILES)
        return folder / "corpus", folder / "texts.jsonl"
    from components.corpus import reading

    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for sentence in reading.read_split(reading.find_splits(corpus), "train"):
            file.write(json.dumps({"text": " ".join(sentence.tokens)}, ensure_ascii=False) + "\n")
    return Path(corpus).resolve(), folder / "texts.jsonl"


def _compare(local: Path, flink: Path, data: Path, whole: bool) -> Iterator[tuple[str, bool]]:
    """Yields the name of each comparison and whether the results of the two workdirs are equal."""
    from tests.flink import artifacts

    def same(read: Callable[..., dict], *arguments: str, suffix: str = "") -> bool:
        first, second = (read(Path(f"{path}{suffix}"), *arguments) for path in (local, flink))
        return bool(first) and first == second

    yield "examples", same(artifacts.examples, "CorpusExampleGen", "examples")
    yield "statistics", same(artifacts.statistics)
    yield "vocabularies", same(artifacts.vocabularies)
    yield "transformed examples", same(artifacts.examples, "Transform", "transformed_examples")
    yield "annotations", same(artifacts.annotations, suffix="-annotated")
    if whole:
        yield "the Evaluator's figures", _evaluates_alike(flink, data)


def _evaluates_alike(workdir: Path, data: Path) -> bool:
    """Whether the Evaluator's figures equal those of `evaluate`, which does not use Beam."""
    from components.corpus import reading

    (test,) = reading.find_splits(str(data)).files["test"]
    file = workdir.with_name("evaluated.json")
    evaluate = ["evaluate", "--model", str(workdir / "serving" / "ner"), "--data", test]
    list(pipeline_steps.run_steps([*evaluate, "--json", str(file)]))
    outcome = max(workdir.glob("runs/*/outcome.json"))
    evaluator, alone = (json.loads(path.read_text())["overall"] for path in (outcome, file))
    return all(math.isclose(evaluator[name], alone[name]) for name in evaluator)


def _print_table(local: Mapping[str, Step], flink: Mapping[str, Step]) -> None:
    print(f"\n{common.this_machine().cores} cores\n{'':>24} {'this machine':>14} {'Flink':>14}")
    for name in flink:
        first = f"{local[name].seconds:12.1f} s" if name in local else f"{'':>14}"
        print(f"{name:>24} {first} {flink[name].seconds:12.1f} s")
    for group in ("command", "Java", "workers"):
        peaks = (
            max((step.peak_mb.get(group, 0.0) for step in steps.values()), default=0.0)
            for steps in (local, flink)
        )
        print(f"{group:>24}" + "".join(f"{peak:12,.0f} MB" for peak in peaks))


if __name__ == "__main__":
    main()
