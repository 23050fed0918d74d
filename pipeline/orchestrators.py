"""Running the graph: TFX's BeamDagRunner or LocalDagRunner."""

from pathlib import Path
from typing import Literal

from apache_beam.options.pipeline_options import StandardOptions
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import pipeline
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import runtime_parameter_utils

from pipeline.config import LOCAL_RUNNER
from pipeline.observe import observed


def execute(
    graph: pipeline.Pipeline, orchestrator: Literal["beam", "local"], run: str, until: str = ""
) -> None:
    """Runs every node, in order, as the run of that name in ML Metadata; with `until`, no further than the node of that name.
    Raises what the node raised that failed.
    """
    runner = BeamDagRunner() if orchestrator == "beam" else LocalDagRunner()
    StandardOptions.DEFAULT_RUNNER = (
        LOCAL_RUNNER  # BeamDagRunner cannot be told what Beam runs its graph with
    )
    compiled = compiler.Compiler().compile(graph)
    # Before the runner does it, which would put the time there.
    runtime_parameter_utils.substitute_runtime_parameter(
        compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run}
    )
    if until:  # they are in an order in which they can run
        ids = [node.pipeline_node.node_info.id for node in compiled.nodes]
        del compiled.nodes[ids.index(until) + 1 :]
    with observed(Path(graph.pipeline_info.pipeline_root).parent):
        runner.run_with_ir(compiled)
