"""The ExampleGen component for labelled corpora."""

import json
import os
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.corpus import reading
from components.corpus.split_files import fingerprint
from components.errors import UserError
from components.ingest import source


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads the corpus that `corpus` names, and writes each split as gzipped TFRecords of tf.Examples."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        corpus = json.loads(exec_properties["corpus"])
        artifact = artifact_utils.get_single_instance(output_dict["examples"])
        options = reading.ReadOptions(**corpus["options"])
        splits = reading.Splits.of_dict(corpus["splits"])
        artifact.split_names = artifact_utils.encode_split_names(list(splits.names))
        if splits.spans:
            artifact.span, artifact.version = splits.spans[-1].number, splits.spans[-1].version
        with self._make_beam_pipeline() as pipeline:
            plan = reading.Plan.of_dict(corpus["plan"]) if corpus.get("plan") else None
            found = source.examples_of(pipeline, splits, options, plan)
            # Not TFX's own WriteSplit: it shuffles every split, which Beam's local runner does in memory, and the
            # Trainer shuffles anyway.
            for split, examples in found.items():
                path = os.path.join(
                    artifact_utils.get_split_uri([artifact], split), "data_tfrecord"
                )
                examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    path, file_name_suffix=".gz"
                )
        if fingerprint(splits) != corpus["fingerprint"]:
            raise UserError(
                f"{splits.path}: the data changed while it was read. Start again when it is whole"
            )
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, "tfrecords_gzip")


class _Spec(ComponentSpec):
    PARAMETERS = {"corpus": ExecutionParameter(type=str)}
    INPUTS = {}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class CorpusExampleGen(base_beam_component.BaseBeamComponent):
    """Labelled text to tf.Examples in the splits train, dev and test.

    Args:
      splits: the files of the corpus.
      options: how to read it.
      fingerprint: a hash of the corpus's content: a touched file with the same content is not read again.
      code: a hash of the sources that this step depends on.
      plan: how each file is read, as `reading.make_plan` found it; made again without it.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        splits: reading.Splits,
        options: reading.ReadOptions,
        fingerprint: str,
        code: str,
        plan: reading.Plan | None = None,
    ) -> None:
        corpus = json.dumps(
            {
                "splits": splits.as_dict(),
                "options": options.model_dump(),
                "plan": plan.as_dict() if plan else None,
                "fingerprint": fingerprint,
                "code": code,
            },
            sort_keys=True,
        )
        super().__init__(
            _Spec(corpus=corpus, examples=types.Channel(type=standard_artifacts.Examples))
        )
