"""The Report node: measures the new model and the model in service, and keeps the figures."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Optional

import tensorflow as tf
from tfx import types
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, path_utils

from components.export.published_model import PublishedModel
from components.ingest.examples import sentence_of
from components.ner.sentence import Sentence
from components.report.alignment import Prediction
from components.report.data import anomaly_figures, split_figures, statistics_figures
from components.report.errors import TrainLabels
from components.report.evaluation import BaselinePredictions, evaluate
from components.report.figures import Data, Evaluation, Measured, Training, as_json, parse
from components.validation.statistics import load_anomalies, load_statistics

FILE = "figures.json"
TRAINING_RECORD = "training.json"  # as `components.training.callbacks.write_record` writes it
_BATCH_SIZE = 256


class ReportFigures(Artifact):
    """The measured figures of a run: `FILE` holds `components.report.figures.Measured`."""

    TYPE_NAME = "ReportFigures"


@component
def Report(
    examples: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    model_run: InputArtifact[standard_artifacts.ModelRun],
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    figures: OutputArtifact[ReportFigures],
    evaluated_on: Parameter[str],
    code: Parameter[str],
    baseline_model: InputArtifact[standard_artifacts.Model] = None,
) -> None:
    """Measures a model.

    TFMA does not keep predictions, so this node predicts the evaluated split a second time.

    Args:
      examples: all splits.
      model: the new model.
      model_run: the Trainer's output with the record of the training.
      statistics: StatisticsGen's output.
      anomalies: ExampleValidator's output.
      figures: the measured figures.
      evaluated_on: name of the split to predict.
      code: hash of the sources that this node depends on; part of its cache key.
      baseline_model: the model in service, if there is one.
    """
    splits = {
        name: _SplitSentences(artifact_utils.get_split_uri([examples], name))
        for name in artifact_utils.decode_split_names(examples.split_names)
    }
    split_sizes, overlaps = split_figures(splits)
    measured = Measured(
        evaluation=_evaluation(splits, evaluated_on, model, baseline_model),
        data=Data(
            splits=split_sizes,
            overlaps=overlaps,
            anomalies=tuple(anomaly_figures(load_anomalies(anomalies))),
            drift=(),  # DataGate measures it; the run adds it to the report
            statistics=tuple(statistics_figures(load_statistics(statistics))),
        ),
        training=parse(Training, Path(model_run.uri, TRAINING_RECORD).read_bytes()),
    )
    io_utils.write_string_file(os.path.join(figures.uri, FILE), as_json(measured))


class _SplitSentences:
    """The sentences of a split; every iteration reads the files again."""

    def __init__(self, folder: str) -> None:
        self._files = sorted(tf.io.gfile.glob(os.path.join(folder, "*")))

    def __iter__(self) -> Iterator[Sentence]:
        # Batches, because a call of TensorFlow for each record is slow.
        batches = tf.data.TFRecordDataset(self._files, "GZIP").batch(_BATCH_SIZE)
        for batch in batches.as_numpy_iterator():
            yield from map(sentence_of, batch)


def _evaluation(
    splits: Mapping[str, _SplitSentences],
    split: str,
    model_artifact: types.Artifact,
    baseline_artifact: Optional[types.Artifact],
) -> Evaluation:
    sentences = list(splits[split])
    model = _load_model(model_artifact)
    tagged = model.tag_with_scores(sentences)
    predictions = [Prediction(sentence, *spans) for sentence, spans in zip(sentences, tagged)]
    baseline = None
    if baseline_artifact:
        spans = _load_model(baseline_artifact).tag(sentences)
        baseline = BaselinePredictions(f"model {baseline_artifact.id}", list(spans))
    train_labels = TrainLabels(splits["train"])
    types_of_train = set().union(*train_labels.known.values())
    return evaluate(
        split, predictions, types_of_train.union(model.card.types), train_labels, baseline
    )


def _load_model(artifact: types.Artifact) -> PublishedModel:
    return PublishedModel(path_utils.serving_model_path(artifact.uri))
