"""What TFDV says of the data, as figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.report.figures import Anomaly, FeatureStatistics

_Statistics = statistics_pb2.DatasetFeatureStatisticsList
_TOP = 10


def anomalies(found: Mapping[str, anomalies_pb2.Anomalies]) -> Iterator[Anomaly]:
    """The anomalies of each split, a phrase for each reason."""
    for split, of_split in found.items():
        for name, info in sorted(of_split.anomaly_info.items()):
            for reason in info.reason:
                yield Anomaly(split, name, reason.description.strip())
        if of_split.HasField("dataset_anomaly_info"):
            yield Anomaly(split, "", of_split.dataset_anomaly_info.description.strip())


def statistics(found: Mapping[str, _Statistics]) -> Iterator[FeatureStatistics]:
    """The statistics of each feature in each split."""
    for split, of_split in found.items():
        whole = max(of_split.datasets, key=lambda one: one.num_examples)  # the others are slices
        for feature in whole.features:
            yield _statistics(split, feature)


def _statistics(split: str, feature: statistics_pb2.FeatureNameStatistics) -> FeatureStatistics:
    texts = feature.HasField("string_stats")
    common = (feature.string_stats if texts else feature.num_stats).common_stats
    return FeatureStatistics(
        split=split,
        feature=feature.name or ".".join(feature.path.step),
        present=common.num_non_missing,
        missing=common.num_missing,
        values=common.tot_num_values,
        unique=feature.string_stats.unique if texts else None,
        mean_values=common.avg_num_values,
        top={value.value: int(value.frequency) for value in feature.string_stats.top_values[:_TOP]},
    )
