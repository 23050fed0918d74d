"""Private API of TFX: runners that launch each node with a function of the caller.

TFX's public runners do not report when a node starts, ends or fails, and make Beam's options part
of a node's cache key, so that a cluster's new address would run every node again. Used here, but
not in `tfx.v1`:

- `BeamDagRunner._PIPELINE_NODE_DO_FN_CLS`, which TFX has for runners derived from it;
- `tfx.orchestration.portable`: Launcher with `custom_executor_operators`, IrBasedRunner, partial
  runs and the run's id;
- `cache_utils.get_cache_context`, which the Launcher computes cache keys with.

Seen with TFX 1.16 and 1.21. Contract tests: tests/model/test_tfx_contract.py,
tests/model/test_cache_key.py.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from absl import logging
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import (
    beam_executor_operator,
    cache_utils,
    launcher,
    partial_run_utils,
    runtime_parameter_utils,
)
from tfx.orchestration.portable.tfx_runner import IrBasedRunner
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2


@dataclass(frozen=True)
class Node:
    """A node of a compiled pipeline, with all that is needed to launch it. Beam pickles it."""

    pipeline_node: pipeline_pb2.PipelineNode
    mlmd_connection_config: Any
    pipeline_info: pipeline_pb2.PipelineInfo
    pipeline_runtime_spec: pipeline_pb2.PipelineRuntimeSpec  # holds the run's id
    executor_spec: Any  # None for a resolver
    custom_driver_spec: Any  # None unless the node has a driver of its own

    @property
    def id(self) -> str:
        return self.pipeline_node.node_info.id

    def metadata(self) -> metadata.Metadata:
        """Opens ML Metadata; a context manager."""
        return metadata.Metadata(self.mlmd_connection_config)

    def launch(self) -> int:
        """Runs the node or takes its outputs from the cache. Returns the id of its execution."""
        spec, operators = self.executor_spec, {}
        if isinstance(spec, executable_spec_pb2.BeamExecutableSpec):
            # The launcher hashes its spec into the cache key. The operator gets the one with Beam's
            # options.
            full, spec = spec, executable_spec_pb2.BeamExecutableSpec()
            spec.python_executor_spec.CopyFrom(full.python_executor_spec)
            operators[type(spec)] = lambda executor_spec, platform_config: (
                beam_executor_operator.BeamExecutorOperator(full, platform_config)
            )
        info = launcher.Launcher(
            pipeline_node=self.pipeline_node,
            mlmd_connection=self.metadata(),
            pipeline_info=self.pipeline_info,
            pipeline_runtime_spec=self.pipeline_runtime_spec,
            executor_spec=spec,
            custom_driver_spec=self.custom_driver_spec,
            custom_executor_operators=operators,
        ).launch()
        return info.execution_id


LaunchNode = Callable[[Node], None]


def make_runner(orchestrator: str, launch: LaunchNode, run_id: str) -> IrBasedRunner:
    """Makes a runner of TFX pipelines.

    Args:
      orchestrator: "beam", as TFX's BeamDagRunner, or "local", as its LocalDagRunner.
      launch: called with each node after the nodes upstream. Beam pickles it.
      run_id: the run's name in ML Metadata.
    """
    runner = _BeamRunner() if orchestrator == "beam" else _LocalRunner()
    runner.launch, runner.run_id = launch, run_id
    return runner


@contextlib.contextmanager
def cache_keys(
    change_artifacts: Callable[[Any], Any], change_parameters: Callable[[Any], Any]
) -> Iterator[None]:
    """While it lasts, TFX computes cache keys from changed inputs.

    Args:
      change_artifacts: gives what stands for the input artifacts by key.
      change_parameters: gives what stands for the parameters by name.
    """
    original = cache_utils.get_cache_context

    def get_cache_context(*arguments: Any, **named: Any) -> Any:
        for name, change in (
            ("input_artifacts", change_artifacts),
            ("parameters", change_parameters),
        ):
            if named.get(name):
                named[name] = change(named[name])
        return original(*arguments, **named)

    cache_utils.get_cache_context = get_cache_context
    try:
        yield
    finally:
        cache_utils.get_cache_context = original


class _RunnerMixin:
    launch: LaunchNode
    run_id: str

    def _set_run_id(self, pipeline: pipeline_pb2.Pipeline) -> None:
        """Sets the run's id before TFX's runners set it to the time."""
        parameters = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self.run_id}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, parameters)


@beam.typehints.with_input_types(Any)
@beam.typehints.with_output_types(Any)
class _NodeDoFn(beam.DoFn):
    """Takes the keyword arguments that BeamDagRunner gives its own DoFn."""

    def __init__(self, launch: LaunchNode, deployment_config: Any, pipeline: Any, **node: Any):
        self._launch, self._node = launch, Node(**node)

    def process(self, element: Any, *signals: Any) -> None:
        for signal in signals:  # empty, and available when the nodes upstream have ended
            list(signal)
        logging.info("node %s is running.", self._node.id)
        self._launch(self._node)
        logging.info("node %s is finished.", self._node.id)


class _BeamRunner(_RunnerMixin, BeamDagRunner):
    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> None:
        self._set_run_id(pipeline)
        self._PIPELINE_NODE_DO_FN_CLS = functools.partial(_NodeDoFn, self.launch)
        super().run_with_ir(pipeline, run_options)


class _LocalRunner(_RunnerMixin, IrBasedRunner):
    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
        **_: Any,
    ) -> None:
        self._set_run_id(pipeline)
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = deployment.metadata_connection_config
        if run_options:
            partial_run_utils.mark_pipeline(pipeline, to_nodes=run_options.partial_run.to_nodes)
        for item in pipeline.nodes:
            node = item.pipeline_node
            if node.execution_options.HasField("skip"):
                continue
            self.launch(
                Node(
                    node,
                    getattr(connection, connection.WhichOneof("connection_config")),
                    pipeline.pipeline_info,
                    pipeline.runtime_spec,
                    runner_utils.extract_executor_spec(deployment, node.node_info.id),
                    runner_utils.extract_custom_driver_spec(deployment, node.node_info.id),
                )
            )
