"""Components of the cluster that are killed during Transform."""

import os

import pytest

from tests.e2e.program import Program
from tests.e2e.synthetic_corpus import write_corpus
from tests.flink.cluster import ROOT, Cluster, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("TFX_NER_LONG"), reason="takes ten minutes; TFX_NER_LONG=1 runs it"
    ),
]


@pytest.mark.parametrize(("kind", "number"), [("taskmanager", 2), ("workers", 1)])
def test_a_run_without_a_component_fails_in_one_line_and_the_next_run_finishes(
    tmp_path, kind, number
):
    if reason := missing():
        pytest.skip(reason)
    program, work = Program(ROOT), tmp_path / "work"
    data = write_corpus(tmp_path / "data", train=120, dev=30, test=30)
    with Cluster(tmp_path / "cluster") as cluster:
        with program.start_run(data, work, *cluster.settings, "--until=Transform") as process:
            assert process.wait_for(
                lambda: "✓ DataGate" in process.out and cluster.overview().get("jobs-running")
            )
            cluster.kill(f"{kind}-{number}")
            result = process.result()
        if result.code:  # Flink retries only if it is configured to
            assert result.nodes["Transform"][0] == "failed" and "Traceback" not in result.err
            assert result.err.count("\n") == 1 and "Transform failed: " in result.err
        {"taskmanager": cluster.start_task_manager, "workers": cluster.start_workers}[kind](number)
        again = program.run(data, work, *cluster.settings, "--until=Transform")
    assert again.code == 0 and again.nodes["Transform"][0] == (
        "ran" if result.code else "cached"
    ), again
    assert len(list((work / "artifacts" / "Transform" / "transformed_examples").iterdir())) == 1
