"""The node DataGate: an anomaly in the data stops the run before training.

TFX's ExampleValidator reports anomalies and lets the pipeline go on.
"""

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.utils import io_utils

from components.errors import UserError
from components.ingest import features
from components.ner import labels
from components.validation import curated_schema, drift
from components.validation.statistics import (
    Statistics,
    arrival_slice,
    load_anomalies,
    load_statistics,
    string_values,
)

STOP = "stop"
STATISTICS_ID = "statistics_id"


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
    tags = frozenset(labels.label_map(curated_schema.entity_types(content)))
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
    drifts = drift.measure_drift(current, accepted, content, newest)
    beyond = [item for item in drifts if item.past]
    if beyond and drift_action == STOP:
        raise UserError(
            f"the data has drifted, {beyond[0].between}: {'; '.join(map(str, beyond))}. Look at the"
            f" data; then go on with --set drift=warn, or change the schema in {schema_file}"
        )
    drift.write_drift(drifts, blessing.uri)
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
