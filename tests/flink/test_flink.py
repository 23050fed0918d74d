"""Beam's steps on a Flink cluster whose workers have the project from setup.py alone, against the same on this machine."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.made_corpus import CITIES, NAMES, write_corpus
from tests.e2e.program import Program
from tests.flink.cluster import ROOT, Cluster, missing

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("TFX_NER_LONG"), reason="takes ten minutes; TFX_NER_LONG=1 runs it"),
]

TEXTS = [f"{NAMES[n % len(NAMES)]} lives in {CITIES[n % len(CITIES)]} window {n} ." for n in range(300)]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder with a run of its own on each, in `here` (as far as Transform) and `flink`, and what each annotated."""
    if reason := missing():
        pytest.skip(reason)
    folder, program = tmp_path_factory.mktemp("flink"), Program(ROOT)
    data = write_corpus(folder / "data", train=120, dev=30, test=30)
    texts = folder / "texts.txt"
    texts.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    results = {"folder": folder, "data": data, "here": program.run(data, folder / "here", "--until=Transform")}
    with Cluster(folder / "cluster") as cluster:
        results["flink"] = program.run(data, folder / "flink", *cluster.settings)
        for name, settings in (("here", ()), ("flink", cluster.settings)):
            results[f"annotated {name}"] = program.command(
                "annotate", "--input", texts, "--output", folder / f"annotated-{name}", "--shard-mb", "0.004",
                "--model", folder / "flink" / "serving" / "ner", *settings,
            )  # fmt: skip
        results["jobs"] = cluster.overview()["jobs-finished"]
    return results


def _artifact(both, where: str, node: str, name: str) -> Path:
    (folder,) = (both["folder"] / where / "artifacts" / node / name).iterdir()
    return folder


def _examples(folder: Path) -> dict[str, Counter]:
    """How often each example is in each split."""
    import tensorflow as tf

    def example(record):
        features = tf.train.Example.FromString(record).features.feature
        return tuple((name, features[name].SerializeToString()) for name in sorted(features))

    splits = {}
    for split in folder.glob("Split-*"):
        records = tf.data.TFRecordDataset([str(path) for path in split.iterdir()], compression_type="GZIP")
        splits[split.name] = Counter(map(example, records.as_numpy_iterator()))
    return splits


def _statistics(folder: Path) -> dict[str, dict]:
    """What was counted of each feature in each split."""
    from tensorflow_data_validation import load_stats_binary

    counted = {}
    for split in folder.glob("Split-*"):
        (statistics,) = load_stats_binary(str(split / "FeatureStats.pb")).datasets
        counted[split.name] = {"examples": statistics.num_examples}
        for feature in statistics.features:
            common = feature.WhichOneof("stats")
            figures = getattr(feature, common)
            counts = [
                getattr(figures.common_stats, name) for name in ("num_non_missing", "num_missing", "tot_num_values")
            ]
            if common == "num_stats":
                counts += [figures.min, figures.max, pytest.approx(figures.mean), pytest.approx(figures.std_dev)]
            else:
                counts += [figures.unique, pytest.approx(figures.avg_length)]
                counts += [{one.value: one.frequency for one in figures.top_values[:5]}] if figures.unique < 100 else []
            counted[split.name][".".join(feature.path.step) or feature.name] = counts
    return counted


def test_a_run_on_flink_publishes_a_model(both):
    assert both["here"].code == both["flink"].code == 0, both["flink"]
    assert both["jobs"] >= 5  # ExampleGen, statistics, Transform, Evaluator, annotation


@pytest.mark.parametrize(("node", "name"), [("CorpusExampleGen", "examples"), ("Transform", "transformed_examples")])
def test_examples_are_the_same(both, node, name):
    here, flink = (_examples(_artifact(both, where, node, name)) for where in ("here", "flink"))
    assert set(here) == {"Split-train", "Split-dev", "Split-test"} and here["Split-train"].total() == 120
    assert here == flink


def test_vocabularies_are_the_same(both):
    here, flink = (
        {
            path.name: path.read_bytes()
            for path in (_artifact(both, where, "Transform", "transform_graph") / "transform_fn" / "assets").iterdir()
        }
        for where in ("here", "flink")
    )
    assert here and here == flink


def test_statistics_are_the_same(both):
    here, flink = (_statistics(_artifact(both, where, "StatisticsGen", "statistics")) for where in ("here", "flink"))
    assert here["Split-train"]["examples"] == 120 and here == flink


def test_metrics_on_flink_are_those_of_the_model_without_beam(both):
    on_flink = json.loads(both["flink"].kept("outcome.json"))
    folder = both["folder"]
    version = folder / "flink" / "serving" / "ner" / both["flink"].versions[0]
    measured = Program(ROOT).command(
        "evaluate", "--model", version, "--data", both["data"] / "test.conll", "--json", folder / "evaluated.json"
    )
    assert measured.code == 0, measured
    without = json.loads((folder / "evaluated.json").read_text(encoding="utf-8"))
    assert on_flink["overall"] == pytest.approx(without["overall"]) and on_flink["overall"]["support"]
    assert on_flink["per_type"] == {name: pytest.approx(scores) for name, scores in without["per_type"].items()}


def test_annotations_are_the_same(both):
    here, flink = (
        {path.name: path.read_bytes() for path in (both["folder"] / f"annotated-{where}").glob("part-*")}
        for where in ("here", "flink")
    )
    assert both["annotated flink"].code == 0, both["annotated flink"]
    assert len(here) > 1 and here == flink
