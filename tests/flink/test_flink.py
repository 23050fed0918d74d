"""The Beam steps on a Flink cluster whose workers install the project from setup.py, compared with a local run."""

import json
import os

import pytest

from tests.e2e.program import Program
from tests.e2e.synthetic_corpus import CITIES, NAMES, write_corpus
from tests.flink import artifacts
from tests.flink.cluster import ROOT, Cluster, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("TFX_NER_LONG"), reason="takes ten minutes; TFX_NER_LONG=1 runs it"
    ),
]

TEXTS = [
    f"{NAMES[n % len(NAMES)]} lives in {CITIES[n % len(CITIES)]} window {n} ." for n in range(300)
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a local run up to Transform, of a run on Flink, and of an annotation on each."""
    if reason := missing():
        pytest.skip(reason)
    folder, program = tmp_path_factory.mktemp("flink"), Program(ROOT)
    data = write_corpus(folder / "data", train=120, dev=30, test=30)
    texts = folder / "texts.txt"
    texts.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    results = {
        "folder": folder,
        "data": data,
        "local": program.run(data, folder / "local", "--until=Transform"),
    }
    with Cluster(folder / "cluster") as cluster:
        results["flink"] = program.run(data, folder / "flink", *cluster.settings)
        for name, settings in (("local", ()), ("flink", cluster.settings)):
            results[f"annotated {name}"] = program.command(
                "annotate", "--input", texts, "--output", folder / f"annotated-{name}", "--shard-mb", "0.004",
                "--model", folder / "flink" / "serving" / "ner", *settings,
            )  # fmt: skip
        results["jobs"] = cluster.overview()["jobs-finished"]
    return results


def test_a_run_on_flink_publishes_a_model(results):
    assert results["local"].code == results["flink"].code == 0, results["flink"]
    assert results["jobs"] >= 5  # ExampleGen, statistics, Transform, Evaluator, annotation


@pytest.mark.parametrize(
    ("node", "name"), [("CorpusExampleGen", "examples"), ("Transform", "transformed_examples")]
)
def test_examples_are_the_same(results, node, name):
    local, flink = (
        artifacts.examples(results["folder"] / runner, node, name) for runner in ("local", "flink")
    )
    assert (
        set(local) == {"Split-train", "Split-dev", "Split-test"}
        and local["Split-train"].total() == 120
    )
    assert local == flink


def test_vocabularies_are_the_same(results):
    local, flink = (
        artifacts.vocabularies(results["folder"] / runner) for runner in ("local", "flink")
    )
    assert local and local == flink


def test_statistics_are_the_same(results):
    local, flink = (
        artifacts.statistics(results["folder"] / runner) for runner in ("local", "flink")
    )
    assert local["Split-train"]["examples"] == 120 and local == flink


def test_scores_on_flink_are_those_of_evaluate(results):
    on_flink = json.loads(results["flink"].run_file("outcome.json"))
    folder = results["folder"]
    version = folder / "flink" / "serving" / "ner" / results["flink"].versions[0]
    evaluated = Program(ROOT).command(
        "evaluate",
        "--model",
        version,
        "--data",
        results["data"] / "test.conll",
        "--json",
        folder / "evaluated.json",
    )
    assert evaluated.code == 0, evaluated
    local = json.loads((folder / "evaluated.json").read_text(encoding="utf-8"))
    assert on_flink["overall"] == pytest.approx(local["overall"]) and on_flink["overall"]["support"]
    assert on_flink["per_type"] == {
        name: pytest.approx(scores) for name, scores in local["per_type"].items()
    }


def test_annotations_are_the_same(results):
    local, flink = (
        artifacts.annotations(results["folder"] / f"annotated-{runner}")
        for runner in ("local", "flink")
    )
    assert results["annotated flink"].code == 0, results["annotated flink"]
    assert len(local) > 1 and local == flink
