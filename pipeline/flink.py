"""Beam's Flink runner, by which every worker reads files of a split.

Beam leaves the files that a source names where they were listed: on Flink one worker reads a whole split, and does all that
needs no grouping with it, as one bundle, whatever the parallelism (Beam's issue 21222). What Beam's own runner in Python does
helps: to take a source apart into listing and reading, with a shuffle of the files between.
"""

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.portability.common_urns import composites, primitives
from apache_beam.runners.portability import flink_runner
from apache_beam.runners.portability.fn_api_runner import translations

_KNOWN_TO_FLINK = frozenset(
    one.urn
    for one in (
        composites.RESHUFFLE,
        primitives.IMPULSE,
        primitives.FLATTEN,
        primitives.GROUP_BY_KEY,
    )
)


class FlinkRunner(flink_runner.FlinkRunner):
    """Beam's, given graphs whose sources are taken apart."""

    def run_portable_pipeline(
        self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ):
        return super().run_portable_pipeline(with_files_shuffled(pipeline), options)


def with_files_shuffled(pipeline: beam_runner_api_pb2.Pipeline) -> beam_runner_api_pb2.Pipeline:
    """The same graph, with each source taken apart."""
    phases = [translations.expand_sdf, translations.sort_stages]
    apart = translations.optimize_pipeline(pipeline, phases, _KNOWN_TO_FLINK, partial=True)
    for transform in apart.components.transforms.values():
        if transform.subtransforms and transform.spec.urn == primitives.PAR_DO.urn:
            transform.ClearField(
                "spec"
            )  # it is its parts now; Beam's job server would take it apart once more
    return apart
