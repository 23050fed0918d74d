"""Private parts of Beam.

- `StandardOptions.DEFAULT_RUNNER`: TFX's BeamDagRunner makes a `beam.Pipeline()` without options, so this class attribute is
  the only way to choose what runs it. Left alone, Beam's DirectRunner tries Prism first, a program that it downloads.
- `fn_api_runner.translations`: takes a source apart into listing and reading, with a shuffle between them. On Flink Beam
  leaves the files of a source on the worker that listed them, so one worker reads a whole split (Beam issue 21222).

Seen with Beam 2.61 and 2.74. Contract test: tests/model/test_beam_contract.py.
"""

import contextlib
from collections.abc import Iterator

from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.portability.common_urns import composites, primitives
from apache_beam.runners.portability.fn_api_runner import translations

_KNOWN_TO_FLINK = frozenset(
    transform.urn
    for transform in (
        composites.RESHUFFLE,
        primitives.IMPULSE,
        primitives.FLATTEN,
        primitives.GROUP_BY_KEY,
    )
)


@contextlib.contextmanager
def default_runner(name: str) -> Iterator[None]:
    """Pipelines of the block that name no runner use this one."""
    before = StandardOptions.DEFAULT_RUNNER
    StandardOptions.DEFAULT_RUNNER = name
    try:
        yield
    finally:
        StandardOptions.DEFAULT_RUNNER = before


def shuffle_files_of_sources(
    pipeline: beam_runner_api_pb2.Pipeline,
) -> beam_runner_api_pb2.Pipeline:
    """The same pipeline with each source split into listing files, a shuffle, and reading them."""
    phases = [translations.expand_sdf, translations.sort_stages]
    expanded = translations.optimize_pipeline(pipeline, phases, _KNOWN_TO_FLINK, partial=True)
    for transform in expanded.components.transforms.values():
        if transform.subtransforms and transform.spec.urn == primitives.PAR_DO.urn:
            # It now consists of its parts; Beam's job server would expand it a second time.
            transform.ClearField("spec")
    return expanded
