"""Anomalies and statistics from TensorFlow Data Validation, as figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.report.figures import Anomaly, FeatureStatistics

_TOP_VALUES = 10


def anomaly_figures(splits: Mapping[str, anomalies_pb2.Anomalies]) -> Iterator[Anomaly]:
    """Yields the anomalies of each split, one for each reason."""
    for split, anomalies in splits.items():
        for feature, info in sorted(anomalies.anomaly_info.items()):
            for reason in info.reason:
                yield Anomaly(split, feature, reason.description.strip())
        if anomalies.HasField("dataset_anomaly_info"):
            yield Anomaly(split, "", anomalies.dataset_anomaly_info.description.strip())


def statistics_figures(
    splits: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
) -> Iterator[FeatureStatistics]:
    """Yields the statistics of each feature in each split."""
    for split, statistics in splits.items():
        # The largest data set is the whole split; the others are slices of it.
        whole = max(statistics.datasets, key=lambda dataset: dataset.num_examples)
        for feature in whole.features:
            yield _feature_figures(split, feature)


def _feature_figures(
    split: str, feature: statistics_pb2.FeatureNameStatistics
) -> FeatureStatistics:
    is_string = feature.HasField("string_stats")
    common = (feature.string_stats if is_string else feature.num_stats).common_stats
    return FeatureStatistics(
        split=split,
        feature=feature.name or ".".join(feature.path.step),
        present=common.num_non_missing,
        missing=common.num_missing,
        values=common.tot_num_values,
        unique=feature.string_stats.unique if is_string else None,
        mean_values=common.avg_num_values,
        top={
            value.value: int(value.frequency)
            for value in feature.string_stats.top_values[:_TOP_VALUES]
        },
    )
