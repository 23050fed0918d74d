"""Beam's steps on a Flink cluster whose workers have the project from setup.py alone, against the same on this machine."""

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
def both(tmp_path_factory):
    """A folder with a run of its own on each, in `here` (as far as Transform) and `flink`, and what each annotated."""
    if reason := missing():
        pytest.skip(reason)
    folder, program = tmp_path_factory.mktemp("flink"), Program(ROOT)
    data = write_corpus(folder / "data", train=120, dev=30, test=30)
    texts = folder / "texts.txt"
    texts.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    results = {
        "folder": folder,
        "data": data,
        "here": program.run(data, folder / "here", "--until=Transform"),
    }
    with Cluster(folder / "cluster") as cluster:
        results["flink"] = program.run(data, folder / "flink", *cluster.settings)
        for name, settings in (("here", ()), ("flink", cluster.settings)):
            results[f"annotated {name}"] = program.command(
                "annotate", "--input", texts, "--output", folder / f"annotated-{name}", "--shard-mb", "0.004",
                "--model", folder / "flink" / "serving" / "ner", *settings,
            )  # fmt: skip
        results["jobs"] = cluster.overview()["jobs-finished"]
    return results


def test_a_run_on_flink_publishes_a_model(both):
    assert both["here"].code == both["flink"].code == 0, both["flink"]
    assert both["jobs"] >= 5  # ExampleGen, statistics, Transform, Evaluator, annotation


@pytest.mark.parametrize(
    ("node", "name"), [("CorpusExampleGen", "examples"), ("Transform", "transformed_examples")]
)
def test_examples_are_the_same(both, node, name):
    here, flink = (
        artifacts.examples(both["folder"] / where, node, name) for where in ("here", "flink")
    )
    assert (
        set(here) == {"Split-train", "Split-dev", "Split-test"}
        and here["Split-train"].total() == 120
    )
    assert here == flink


def test_vocabularies_are_the_same(both):
    here, flink = (artifacts.vocabularies(both["folder"] / where) for where in ("here", "flink"))
    assert here and here == flink


def test_statistics_are_the_same(both):
    here, flink = (artifacts.statistics(both["folder"] / where) for where in ("here", "flink"))
    assert here["Split-train"]["examples"] == 120 and here == flink


def test_metrics_on_flink_are_those_of_the_model_without_beam(both):
    on_flink = json.loads(both["flink"].run_file("outcome.json"))
    folder = both["folder"]
    version = folder / "flink" / "serving" / "ner" / both["flink"].versions[0]
    measured = Program(ROOT).command(
        "evaluate",
        "--model",
        version,
        "--data",
        both["data"] / "test.conll",
        "--json",
        folder / "evaluated.json",
    )
    assert measured.code == 0, measured
    without = json.loads((folder / "evaluated.json").read_text(encoding="utf-8"))
    assert (
        on_flink["overall"] == pytest.approx(without["overall"]) and on_flink["overall"]["support"]
    )
    assert on_flink["per_type"] == {
        name: pytest.approx(scores) for name, scores in without["per_type"].items()
    }


def test_annotations_are_the_same(both):
    here, flink = (
        artifacts.annotations(both["folder"] / f"annotated-{where}") for where in ("here", "flink")
    )
    assert both["annotated flink"].code == 0, both["annotated flink"]
    assert len(here) > 1 and here == flink
