"""The node DataGate: an anomaly in the data stops the run before training.

TFX's ExampleValidator reports anomalies and lets the pipeline go on. An anomaly is also drift: a distance between the data
and earlier data that is beyond its threshold in the schema.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.utils import io_utils

from components.errors import UserError
from components.ingest import features
from components.ner.tags import label_map
from components.validation import curated_schema
from components.validation.statistics import (
    Statistics,
    arrival_slice,
    load_anomalies,
    load_statistics,
    string_values,
)

STOP = "stop"
STATISTICS_ID = "statistics_id"


_DRIFT_FILE = "drift.json"
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


class DataBlessing(Artifact):
    """Marks data that passed the gate: the property `STATISTICS_ID` is the id of its statistics."""

    TYPE_NAME = "DataBlessing"


@component
def DataGate(
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    blessing: OutputArtifact[DataBlessing],
    schema_file: Parameter[str],
    drift_action: Parameter[str],
    newest: Parameter[str],
    code: Parameter[str],
    baseline: InputArtifact[standard_artifacts.ExampleStatistics] = None,
) -> None:
    """Stops the run if the data has anomalies or has drifted.

    Args:
      anomalies: the output of ExampleValidator.
      statistics: the statistics of the data.
      schema: the curated schema.
      blessing: the mark of data that passed.
      schema_file: path of the schema's file, for messages.
      drift_action: `STOP`, or "warn" to report drift and go on.
      newest: the newest span of the data, or "" if it has no spans.
      code: hash of the sources that this node depends on.
      baseline: the statistics of the data accepted before, if this is not the first run.

    Raises:
      UserError: an anomaly in a split, or drift beyond the schema's thresholds with `STOP`.
    """
    current = load_statistics(statistics)
    content = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    tags = frozenset(label_map(curated_schema.entity_types(content)))
    problems = [
        f"in {split}{span_with_other_tags(current[split], tags, newest)}, {text}"
        for split, found in load_anomalies(anomalies).items()
        for text in describe(found)
    ]
    if problems:
        raise UserError(
            f"the data breaks the schema: {'; '.join(problems)}. Correct the data, or change"
            f" the schema in {schema_file}"
        )
    accepted = load_statistics(baseline) if baseline else None
    drifts = measure_drift(current, accepted, content, newest)
    beyond = [item for item in drifts if item.past]
    if beyond and drift_action == STOP:
        raise UserError(
            f"the data has drifted, {beyond[0].between}: {'; '.join(map(str, beyond))}. Look at the"
            f" data; then go on with --set drift=warn, or change the schema in {schema_file}"
        )
    write_drift(drifts, blessing.uri)
    blessing.set_int_custom_property(STATISTICS_ID, statistics.id)


def describe(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """A phrase for each anomaly: the feature, and TFDV's description."""
    phrases = []
    for name, anomaly in sorted(anomalies.anomaly_info.items()):
        reasons = (
            "; ".join(reason.description.strip().rstrip(".") for reason in anomaly.reason)
            or anomaly.description
        )
        phrases.append(f"feature {name}: {reasons}")
    if anomalies.HasField("dataset_anomaly_info"):
        phrases.append(anomalies.dataset_anomaly_info.description)
    return phrases


def span_with_other_tags(split: Statistics, tags: frozenset[str], newest: str) -> str:
    """Says in which span a split has tags that are not among `tags`, if that is known.

    Args:
      split: the statistics of the split.
      tags: the tags that the schema allows.
      newest: the newest span, or "" if the data has no spans.

    Returns:
      " of span 6" for the newest span, " before span 6" for an earlier one, or "".
    """
    if not newest or tags.issuperset(string_values(split, features.TAGS)):
        return ""
    newest_split = arrival_slice(split, features.NEWEST) or split
    is_newest = not tags.issuperset(string_values(newest_split, features.TAGS))
    return f" of {newest}" if is_newest else f" before {newest}"


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
        return _compare(new_split, earlier_split, schema, f"{newest} against the spans before it")
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
    Path(folder, _DRIFT_FILE).write_text(content, encoding="utf-8")


def read_drift(folder: str | Path) -> tuple[Drift, ...]:
    """Reads the drift that was written to a folder; empty if nothing was."""
    path = Path(folder, _DRIFT_FILE)
    if not path.exists():
        return ()
    return tuple(Drift(**item) for item in json.loads(path.read_text(encoding="utf-8")))
