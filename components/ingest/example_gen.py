"""The ExampleGen component for labelled corpora."""

import json
import os
from typing import Any

import apache_beam as beam
from pydantic import TypeAdapter
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.corpus import reading
from components.corpus.splits import fingerprint
from components.errors import UserError
from components.ingest import source

_SPLITS, _PLAN = TypeAdapter(reading.Splits), TypeAdapter(reading.Plan)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads the corpus, and writes each split as gzipped TFRecords of tf.Examples."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        corpus = json.loads(exec_properties["corpus"])
        artifact = artifact_utils.get_single_instance(output_dict["examples"])
        options = reading.ReadOptions(**corpus["options"])
        splits = _SPLITS.validate_python(corpus["splits"])
        artifact.split_names = artifact_utils.encode_split_names(list(splits.names))
        if splits.spans:
            artifact.span, artifact.version = splits.spans[-1].number, splits.spans[-1].version
        with self._make_beam_pipeline() as pipeline:
            plan = _PLAN.validate_python(corpus["plan"]) if corpus.get("plan") else None
            examples_by_split = source.examples_of(pipeline, splits, options, plan)
            # TFX's WriteSplit would shuffle every split, which Beam's local runner does in memory.
            # The Trainer shuffles anyway.
            for split, examples in examples_by_split.items():
                path = os.path.join(
                    artifact_utils.get_split_uri([artifact], split), "data_tfrecord"
                )
                examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    path, file_name_suffix=".gz"
                )
        if fingerprint(splits) != corpus["fingerprint"]:
            raise UserError(
                f"{splits.path}: the data changed while it was read. Run again when it is complete"
            )
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, "tfrecords_gzip")


class _Spec(ComponentSpec):
    PARAMETERS = {"corpus": ExecutionParameter(type=str)}
    INPUTS = {}
    OUTPUTS = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class CorpusExampleGen(base_beam_component.BaseBeamComponent):
    """Reads labelled text into tf.Examples in the splits train, dev and test.

    Args:
      splits: the files of the corpus.
      options: how to read them.
      fingerprint: hash of the corpus's content, so that a touched file is not read again.
      code: hash of the sources that this node depends on.
      plan: how each file is read, from `reading.make_plan`; made again without it.
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
                "splits": _SPLITS.dump_python(splits, mode="json", exclude={"notes"}),
                "options": options.model_dump(),
                "plan": _PLAN.dump_python(plan, mode="json", exclude={"notes"}) if plan else None,
                "tokenizer": str(plan.granularity) if plan else options.tokenizer,
                "fingerprint": fingerprint,
                "code": code,
            },
            sort_keys=True,
        )
        super().__init__(
            _Spec(corpus=corpus, examples=types.Channel(type=standard_artifacts.Examples))
        )
