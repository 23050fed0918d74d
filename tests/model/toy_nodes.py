"""Two TFX components that pass on an integer; the first is a Beam component."""

import apache_beam as beam
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts


@component(use_beam=True)
def First(
    number: OutputArtifact[standard_artifacts.Integer],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Outputs 1."""
    number.value = 1


@component
def Next(
    before: InputArtifact[standard_artifacts.Integer],
    number: OutputArtifact[standard_artifacts.Integer],
):
    """Adds 1."""
    number.value = before.value + 1
