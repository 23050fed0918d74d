"""Statistics artifacts, by split."""

import os
from collections.abc import Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.types import artifact_utils

from components.ingest import features

Statistics = statistics_pb2.DatasetFeatureStatisticsList


def load(artifact: types.Artifact) -> Mapping[str, Statistics]:
    """The statistics of each split in an ExampleStatistics artifact."""
    return {
        split: tfdv.load_stats_binary(
            os.path.join(artifact_utils.get_split_uri([artifact], split), "FeatureStats.pb")
        )
        for split in artifact_utils.decode_split_names(artifact.split_names)
    }


def of_arrival(statistics: Statistics, arrival: str) -> Statistics | None:
    """Those of the newest span's sentences in a split, or of the earlier ones', None where there are none."""
    name = f"{features.ARRIVAL}_{arrival}"  # as TFDV names slices
    found = [one for one in statistics.datasets if one.name == name]
    return Statistics(datasets=found) if found else None


def values(statistics: Statistics, feature: str) -> tuple[str, ...]:
    """The values of a string feature, most frequent first; up to the thousand that TFDV keeps."""
    whole = max(statistics.datasets, key=lambda one: one.num_examples)  # the others are slices
    for entry in whole.features:
        if feature in (entry.name, *entry.path.step):
            return tuple(bucket.label for bucket in entry.string_stats.rank_histogram.buckets)
    return ()
