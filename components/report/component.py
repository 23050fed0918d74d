"""The Report node: measures the new model and the model in service, and keeps the figures."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
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
from components.report.alignment import Prediction
from components.report.evaluation import BaselinePredictions, evaluate
from components.report.splits import split_figures
from components.report.suspects import TrainLabels
from components.validation.statistics import load_statistics

FILE = "figures.json"
TRAINING_RECORD = "training.json"  # as `components.training.callbacks.write_record` writes it
_BATCH_SIZE = 256

_Inputs = Mapping[str, list[types.Artifact]]


class ReportFigures(Artifact):
    """The measured figures of a run: `FILE` holds `components.report.figures.Measured`."""

    TYPE_NAME = "ReportFigures"


class Executor(base_executor.BaseExecutor):
    """Predicts the evaluated split and computes the figures.

    TFMA does not keep predictions, so this node predicts the split a second time.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        splits = _SplitSentences.of_artifact(
            artifact_utils.get_single_instance(input_dict["examples"])
        )
        measured = figures.Measured(
            evaluation=_evaluation(input_dict, splits, exec_properties["evaluated_on"]),
            data=_data(input_dict, splits),
            training=figures.parse_training(
                Path(
                    artifact_utils.get_single_uri(input_dict["model_run"]), TRAINING_RECORD
                ).read_bytes()
            ),
        )
        io_utils.write_string_file(
            os.path.join(artifact_utils.get_single_uri(output_dict["figures"]), FILE),
            figures.as_json(measured),
        )


class _SplitSentences:
    """The sentences of a split; every iteration reads the files again."""

    def __init__(self, folder: str) -> None:
        self._files = sorted(tf.io.gfile.glob(os.path.join(folder, "*")))

    def __iter__(self) -> Iterator[Sentence]:
        # Batches, because a call of TensorFlow for each record is slow.
        batches = tf.data.TFRecordDataset(self._files, "GZIP").batch(_BATCH_SIZE)
        for batch in batches.as_numpy_iterator():
            for record_bytes in batch:
                yield examples.sentence_of(record_bytes)

    @classmethod
    def of_artifact(cls, artifact: types.Artifact) -> dict[str, "_SplitSentences"]:
        """Returns the splits of an Examples artifact by name."""
        names = artifact_utils.decode_split_names(artifact.split_names)
        return {name: cls(artifact_utils.get_split_uri([artifact], name)) for name in names}


def _evaluation(
    inputs: _Inputs, splits: Mapping[str, _SplitSentences], split: str
) -> figures.Evaluation:
    sentences = list(splits[split])
    model = _load_model(artifact_utils.get_single_instance(inputs["model"]))
    predictions = [
        Prediction(sentence, *spans_and_scores)
        for sentence, spans_and_scores in zip(
            sentences, model.tag_with_scores(sentence.tokens for sentence in sentences)
        )
    ]
    baseline = None
    if inputs.get("baseline_model"):
        artifact = artifact_utils.get_single_instance(inputs["baseline_model"])
        baseline_model = _load_model(artifact)
        baseline = BaselinePredictions(
            f"model {artifact.id}",
            list(baseline_model.tag(sentence.tokens for sentence in sentences)),
        )
    train_labels = TrainLabels(splits["train"])
    train_types = {
        type_name for type_names in train_labels.known.values() for type_name in type_names
    }
    return evaluate(split, predictions, train_types.union(model.card.types), train_labels, baseline)


def _load_model(artifact: types.Artifact) -> PublishedModel:
    return PublishedModel(
        path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact))
    )


def _data(inputs: _Inputs, splits: Mapping[str, _SplitSentences]) -> figures.Data:
    sizes, overlaps = split_figures(splits)
    return figures.Data(
        splits=sizes,
        overlaps=overlaps,
        anomalies=tuple(data_validation.anomaly_figures(_anomalies(inputs))),
        drift=(),  # DataGate measures it; the run adds it to the report
        statistics=tuple(
            data_validation.statistics_figures(
                load_statistics(artifact_utils.get_single_instance(inputs["statistics"]))
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
    """Measures a model.

    Args:
      examples: all splits.
      model: the new model.
      baseline_model: the model in service; may be empty.
      model_run: the Trainer's output with the record of the training.
      statistics: StatisticsGen's output.
      anomalies: ExampleValidator's output.
      evaluated_on: name of the split to predict.
      code: a hash of the sources that this node depends on; part of its cache key.
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
    ) -> None:
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
