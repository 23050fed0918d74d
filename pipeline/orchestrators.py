"""Running the graph: TFX's BeamDagRunner or LocalDagRunner."""

from typing import Literal

from apache_beam.options.pipeline_options import StandardOptions
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import pipeline
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import runtime_parameter_utils

from pipeline.config import LOCAL_RUNNER
from pipeline.observe import observed


def execute(graph: pipeline.Pipeline, orchestrator: Literal["beam", "local"], run: str) -> None:
    """Runs every node, in order, as the run of that name in ML Metadata; raises what the node raised that failed."""
    runner = BeamDagRunner() if orchestrator == "beam" else LocalDagRunner()
    StandardOptions.DEFAULT_RUNNER = LOCAL_RUNNER  # BeamDagRunner cannot be told what Beam runs its graph with
    compiled = compiler.Compiler().compile(graph)
    # Before the runner does it, which would put the time there.
    runtime_parameter_utils.substitute_runtime_parameter(compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run})
    with observed():
        runner.run_with_ir(compiled)
