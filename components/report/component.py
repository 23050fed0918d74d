"""The component that measures a model from all sides, beside the one that serves, and keeps the figures."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils, path_utils

from components.export.published_model import PublishedModel
from components.ingest import examples
from components.ner.sentence import Sentence
from components.report import data_validation, figures
from components.report.evaluation import Before, evaluation
from components.report.predictions import Prediction
from components.report.splits import splits
from components.report.suspects import Labels
from components.report.training import training
from components.validation import statistics

FILE = "figures.json"
_BATCH = 256

_Inputs = Mapping[str, list[types.Artifact]]


class ReportFigures(Artifact):
    """The measured figures of a run, as `FILE` (`components.report.figures.Measured`)."""

    TYPE_NAME = "ReportFigures"


class Executor(base_executor.BaseExecutor):
    """Predicts the evaluated split, and computes what follows from that, from the data and from the record of the training."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        data = _Split.all_of(artifact_utils.get_single_instance(input_dict["examples"]))
        measured = figures.Measured(
            evaluation=_evaluation(input_dict, data, exec_properties["evaluated_on"]),
            data=_data(input_dict, data),
            training=training(artifact_utils.get_single_uri(input_dict["model_run"])),
        )
        io_utils.write_string_file(
            os.path.join(artifact_utils.get_single_uri(output_dict["figures"]), FILE),
            figures.as_json(measured),
        )


class _Split:
    """The sentences of a split; each time that it is gone through, they are read anew."""

    def __init__(self, folder: str):
        self._files = sorted(tf.io.gfile.glob(os.path.join(folder, "*")))

    def __iter__(self) -> Iterator[Sentence]:
        # Batches cost a twentieth of what records one by one do.
        batches = tf.data.TFRecordDataset(self._files, "GZIP").batch(_BATCH).as_numpy_iterator()
        return (examples.sentence_of(record) for batch in batches for record in batch)

    @classmethod
    def all_of(cls, artifact: types.Artifact) -> dict[str, "_Split"]:
        """The splits of an Examples artifact by name."""
        names = artifact_utils.decode_split_names(artifact.split_names)
        return {name: cls(artifact_utils.get_split_uri([artifact], name)) for name in names}


def _evaluation(inputs: _Inputs, data: Mapping[str, _Split], split: str) -> figures.Evaluation:
    sentences = list(data[split])
    model = _model(artifact_utils.get_single_instance(inputs["model"]))
    predictions = [
        Prediction(sentence, *found)
        for sentence, found in zip(sentences, model.tagged(one.tokens for one in sentences))
    ]
    before = None
    if inputs.get("baseline_model"):
        artifact = artifact_utils.get_single_instance(inputs["baseline_model"])
        before = Before(
            f"model {artifact.id}", list(_model(artifact).tag(one.tokens for one in sentences))
        )
    labels = Labels(data["train"])
    types_of_train = {type_ for types_ in labels.known.values() for type_ in types_}
    return evaluation(split, predictions, types_of_train.union(model.card.types), labels, before)


def _model(artifact: types.Artifact) -> PublishedModel:
    return PublishedModel(
        path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact))
    )


def _data(inputs: _Inputs, data: Mapping[str, _Split]) -> figures.Data:
    sizes, overlaps = splits(data)
    return figures.Data(
        splits=sizes,
        overlaps=overlaps,
        anomalies=tuple(data_validation.anomalies(_anomalies(inputs))),
        drift=(),  # the gate on data has measured that
        statistics=tuple(
            data_validation.statistics(
                statistics.load(artifact_utils.get_single_instance(inputs["statistics"]))
            )
        ),
    )


def _anomalies(inputs: _Inputs) -> dict[str, anomalies_pb2.Anomalies]:
    artifact = artifact_utils.get_single_instance(inputs["anomalies"])
    return {
        split: anomalies_pb2.Anomalies.FromString(
            io_utils.read_bytes_file(
                os.path.join(artifact_utils.get_split_uri([artifact], split), "SchemaDiff.pb")
            )
        )
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


class _Spec(ComponentSpec):
    PARAMETERS = {
        "evaluated_on": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }
    OUTPUTS = {"figures": ChannelParameter(type=ReportFigures)}


class Report(base_component.BaseComponent):
    """Measures a model from all sides.

    Args:
      examples: all splits.
      model: the new one.
      baseline_model: the one that serves; may be empty.
      model_run: the Trainer's, with the record of the training.
      statistics: of the data.
      anomalies: ExampleValidator's.
      evaluated_on: name of the split to predict.
      code: a hash of the sources that this step depends on.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        model_run: types.BaseChannel,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        evaluated_on: str,
        code: str,
    ):
        super().__init__(
            _Spec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                model_run=model_run,
                statistics=statistics,
                anomalies=anomalies,
                evaluated_on=evaluated_on,
                code=code,
                figures=types.Channel(type=ReportFigures),
            )
        )
