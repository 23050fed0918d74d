"""Drift: distances between the data and earlier data, with thresholds from the schema."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.ingest import features
from components.validation.statistics import Statistics, arrival_slice

_FILE = "drift.json"
_NAMES = {
    features.TAGS: "tags",
    features.TOKENS: "token frequencies",
    features.LENGTH: "sentence length",
    features.FAMILIAR: "out-of-vocabulary rate",
}
_Measurement = anomalies_pb2.DriftSkewInfo.Measurement
_MEASURES = {
    _Measurement.L_INFTY: "L-infinity norm",
    _Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon divergence",
    _Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: "normalised absolute difference",
}


@dataclass(frozen=True)
class Drift:
    """The distance of a distribution from an earlier one."""

    of: str  # name of the distribution, such as "sentence length"
    measure: str  # name of the distance
    value: float
    threshold: float  # the largest distance that the schema allows
    between: str  # phrase for the data that are compared

    @property
    def past(self) -> bool:
        """Whether the distance is larger than the schema allows."""
        return self.value > self.threshold

    def __str__(self) -> str:
        return f"{self.of}: {self.measure} {self.value:.4f}, at most {self.threshold:g} is allowed"


def measure_drift(
    current: Mapping[str, Statistics],
    accepted: Mapping[str, Statistics] | None,
    schema: schema_pb2.Schema,
    newest: str,
) -> tuple[Drift, ...]:
    """Measures the drift of the features that have a threshold in the schema.

    The newest span is compared with the earlier spans. Its out-of-vocabulary rate, the share of
    words that their train split does not have, is compared with the rate of their dev split. Data
    without several spans is compared with the data accepted before, train with train.

    Args:
      current: the statistics of the data by split, with slices by arrival if it has several spans.
      accepted: the statistics by split of the data accepted before.
      schema: the curated schema.
      newest: the newest span.

    Returns:
      The drift of each feature; empty if there is nothing to compare with.
    """
    new, earlier = (
        {split: arrival_slice(statistics, arrival) for split, statistics in current.items()}
        for arrival in (features.NEWEST, features.EARLIER)
    )
    # A newest span that is held out is entirely in test.
    new_split, earlier_split = new["train"] or new.get("test"), earlier["train"]
    if new_split and earlier_split:
        if earlier["dev"]:
            earlier_split = _with_feature(earlier_split, earlier["dev"], features.FAMILIAR)
        return _compare(new_split, earlier_split, schema, f"{newest} against those before it")
    if accepted:
        return _compare(current["train"], accepted["train"], schema, "train against the run before")
    return ()


def _compare(
    current: Statistics, previous: Statistics, schema: schema_pb2.Schema, between: str
) -> tuple[Drift, ...]:
    anomalies = tfdv.validate_statistics(current, schema, previous_statistics=previous)
    by_feature = {".".join(info.path.step): info for info in anomalies.drift_skew_info}
    return tuple(
        Drift(
            _NAMES.get(feature, feature),
            _MEASURES.get(measurement.type, "distance"),
            measurement.value,
            measurement.threshold,
            between,
        )
        for feature, info in sorted(by_feature.items())
        for measurement in info.drift_measurements
    )


def _with_feature(target: Statistics, source: Statistics, name: str) -> Statistics:
    """The statistics `target` with one feature of `source` added."""
    result = Statistics()
    result.CopyFrom(target)
    result.datasets[0].features.extend(
        feature
        for feature in source.datasets[0].features
        if name in (feature.name, *feature.path.step)
    )
    return result


def write_drift(drifts: tuple[Drift, ...], folder: str | Path) -> None:
    """Writes the drift to a folder."""
    content = json.dumps([asdict(item) for item in drifts], indent=1) + "\n"
    Path(folder, _FILE).write_text(content, encoding="utf-8")


def read_drift(folder: str | Path) -> tuple[Drift, ...]:
    """Reads the drift that was written to a folder; empty if nothing was."""
    path = Path(folder, _FILE)
    if not path.exists():
        return ()
    return tuple(Drift(**item) for item in json.loads(path.read_text(encoding="utf-8")))
