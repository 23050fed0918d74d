"""The private parts of TFX that the project uses, on a pipeline of three toy nodes."""

import functools

import pytest

from components.compat import beam_private, tfx_private
from pipeline.config import LOCAL_RUNNER

LAUNCHED = []


def launch(name, node):
    """Defined in a module, because Beam pickles it."""
    LAUNCHED.append((name, node.id, node.launch()))


@pytest.fixture
def toy_pipeline(tmp_path):
    """A function that creates a pipeline `A -> B -> C` with given Beam options."""
    from tfx.orchestration import metadata, pipeline

    from tests.model.toy_nodes import First, Next

    def make(*beam_options):
        a = First().with_id("A")
        b = Next(before=a.outputs["number"]).with_id("B")
        c = Next(before=b.outputs["number"]).with_id("C")
        return pipeline.Pipeline(
            pipeline_name="toy",
            pipeline_root=str(tmp_path / "artifacts"),
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(tmp_path / "metadata.sqlite")
            ),
            beam_pipeline_args=list(beam_options),
            components=[a, b, c],
        )

    return make


def run(graph, orchestrator, run_id, until=""):
    from tfx.orchestration.pipeline import RunOptions

    LAUNCHED.clear()
    runner = tfx_private.make_runner(orchestrator, functools.partial(launch, run_id), run_id)
    with beam_private.default_runner(LOCAL_RUNNER):
        runner.run(graph, run_options=RunOptions(to_nodes=[until]) if until else None)
    return [node for _, node, _ in LAUNCHED]


@pytest.mark.parametrize("orchestrator", ["beam", "local"])
def test_every_node_is_launched_in_order_under_the_run_id(toy_pipeline, orchestrator, tmp_path):
    from tfx.orchestration import metadata

    assert run(toy_pipeline(), orchestrator, "run-1") == ["A", "B", "C"]
    config = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    with metadata.Metadata(config) as handle:
        runs = handle.store.get_contexts_by_type("pipeline_run")
    assert [context.name for context in runs] == ["run-1"]


@pytest.mark.parametrize("orchestrator", ["beam", "local"])
def test_run_options_leave_out_the_nodes_after_a_node(toy_pipeline, orchestrator):
    assert run(toy_pipeline(), orchestrator, "run-1", until="B") == ["A", "B"]
    assert run(toy_pipeline(), orchestrator, "run-2") == ["A", "B", "C"]


def test_both_orchestrators_share_the_cache_with_any_beam_options(toy_pipeline, tmp_path):
    from ml_metadata.proto import metadata_store_pb2
    from tfx.orchestration import metadata

    run(toy_pipeline(), "beam", "run-1")
    run(toy_pipeline("--runner=FnApiRunner"), "local", "run-2")
    config = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    with metadata.Metadata(config) as handle:
        executions = handle.store.get_executions_by_id([execution for *_, execution in LAUNCHED])
    assert {execution.last_known_state for execution in executions} == {
        metadata_store_pb2.Execution.CACHED
    }


def test_names_imported_from_tfx_are_those_of_its_public_interface():
    """`import tfx.v1` imports google.cloud.aiplatform, which takes seconds; the names are imported from where it has them."""
    from tfx import v1 as tfx

    from pipeline import graph

    for name in ("Evaluator", "ExampleValidator", "Pusher", "StatisticsGen", "Trainer"):
        assert getattr(graph, name) is getattr(tfx.components, name)
    assert graph.Transform is tfx.components.Transform and graph.Tuner is tfx.components.Tuner
    assert graph.Resolver is tfx.dsl.Resolver and graph.Channel is tfx.dsl.Channel
    assert graph.pipeline.Pipeline is tfx.dsl.Pipeline
    assert graph.standard_artifacts.Model is tfx.types.standard_artifacts.Model
