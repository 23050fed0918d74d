"""Statistics and anomalies of TensorFlow Data Validation in artifacts, by split."""

import os
from collections.abc import Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx import types
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.ingest import features

Statistics = statistics_pb2.DatasetFeatureStatisticsList


def load_statistics(artifact: types.Artifact) -> Mapping[str, Statistics]:
    """The statistics of each split in an ExampleStatistics artifact."""
    return {
        split: tfdv.load_stats_binary(
            os.path.join(artifact_utils.get_split_uri([artifact], split), "FeatureStats.pb")
        )
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


def load_anomalies(artifact: types.Artifact) -> Mapping[str, anomalies_pb2.Anomalies]:
    """The anomalies of each split in an ExampleAnomalies artifact."""
    return {
        split: anomalies_pb2.Anomalies.FromString(
            io_utils.read_bytes_file(
                os.path.join(artifact_utils.get_split_uri([artifact], split), "SchemaDiff.pb")
            )
        )
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


def arrival_slice(statistics: Statistics, arrival: str) -> Statistics | None:
    """The statistics of a split's newest or earlier spans.

    Args:
      statistics: the statistics of a split.
      arrival: `features.NEWEST` or `features.EARLIER`.

    Returns:
      The statistics of that slice, or None if the split has no such slice.
    """
    name = f"{features.ARRIVAL}_{arrival}"  # as TFDV names slices
    datasets = [dataset for dataset in statistics.datasets if dataset.name == name]
    return Statistics(datasets=datasets) if datasets else None


def string_values(statistics: Statistics, feature: str) -> tuple[str, ...]:
    """The values of a string feature, most frequent first, up to the thousand that TFDV keeps."""
    # The largest data set is the whole split; the others are slices of it.
    dataset = max(statistics.datasets, key=lambda dataset: dataset.num_examples)
    for entry in dataset.features:
        if feature in (entry.name, *entry.path.step):
            return tuple(bucket.label for bucket in entry.string_stats.rank_histogram.buckets)
    return ()
