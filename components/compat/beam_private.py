"""Private API of Beam.

- `StandardOptions.DEFAULT_RUNNER`: TFX's BeamDagRunner makes a `beam.Pipeline()` without options,
  so only this class attribute chooses its runner. The default, DirectRunner, tries Prism first, a
  program that it downloads.
- `fn_api_runner.translations`: splits a source into listing files and reading them, with a shuffle
  between. On Flink, Beam leaves the files of a source on the worker that listed them, so one worker
  would read all files of a split (Beam issue 21222).

Seen with Beam 2.61 and 2.74. Contract test: tests/model/test_beam_contract.py.
"""

import contextlib
from collections.abc import Iterator

from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.portability.common_urns import composites, primitives
from apache_beam.runners.portability.fn_api_runner import translations

_KNOWN_TO_FLINK = frozenset(
    {
        composites.RESHUFFLE.urn,
        primitives.IMPULSE.urn,
        primitives.FLATTEN.urn,
        primitives.GROUP_BY_KEY.urn,
    }
)


@contextlib.contextmanager
def default_runner(name: str) -> Iterator[None]:
    """Sets the runner of pipelines in the block that do not name one."""
    before = StandardOptions.DEFAULT_RUNNER
    StandardOptions.DEFAULT_RUNNER = name
    try:
        yield
    finally:
        StandardOptions.DEFAULT_RUNNER = before


def shuffle_files_of_sources(
    pipeline: beam_runner_api_pb2.Pipeline,
) -> beam_runner_api_pb2.Pipeline:
    """Splits each source of a pipeline into listing files, a shuffle, and reading the files."""
    phases = [translations.expand_sdf, translations.sort_stages]
    expanded = translations.optimize_pipeline(pipeline, phases, _KNOWN_TO_FLINK, partial=True)
    for transform in expanded.components.transforms.values():
        if transform.subtransforms and transform.spec.urn == primitives.PAR_DO.urn:
            # It now consists of its parts; Beam's job server would expand it a second time.
            transform.ClearField("spec")
    return expanded
