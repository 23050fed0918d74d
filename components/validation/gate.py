"""The gate on data: an anomaly stops the run before training.

TFX's ExampleValidator reports anomalies and lets the pipeline go on; this component does not.
"""

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from components.errors import UserError
from components.ingest import features
from components.ner import labels
from components.validation import curated_schema, drift, statistics

STOP = "stop"
STATISTICS_ID = "statistics_id"


class DataBlessing(Artifact):
    """Says which statistics belong to data that passed the gate, by the custom property `STATISTICS_ID`."""

    TYPE_NAME = "DataBlessing"


class Executor(base_executor.BaseExecutor):
    """Raises UserError for anomalies in any split, or for drift past the contract's thresholds unless it is only to be told."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        counted = artifact_utils.get_single_instance(input_dict["statistics"])
        current, newest = statistics.load(counted), exec_properties["newest"]
        schema = io_utils.SchemaReader().read(
            io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict["schema"]))
        )
        tags = frozenset(labels.label_map(curated_schema.types_of(schema)))
        found = [
            f"in {split}{span_with_others(current[split], tags, newest)}, {text}"
            for split in artifact_utils.decode_split_names(anomalies.split_names)
            for text in describe(_read_anomalies(anomalies, split))
        ]
        if found:
            raise UserError(
                f"the data breaks the contract: {'; '.join(found)}. Mend the data, or change the contract"
                f" in {exec_properties['contract']}"
            )
        baseline = input_dict.get("baseline")
        before = statistics.load(artifact_utils.get_single_instance(baseline)) if baseline else None
        drifts = drift.measure(current, before, schema, newest)
        past = [one for one in drifts if one.past]
        if past and exec_properties["drift"] == STOP:
            raise UserError(
                f"the data has drifted, {past[0].between}: {'; '.join(map(str, past))}. Look at the data; then go on with"
                f" --set drift=warn, or change the contract in {exec_properties['contract']}"
            )
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        drift.write(drifts, blessing.uri)
        blessing.set_int_custom_property(STATISTICS_ID, counted.id)


def describe(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Each anomaly as a phrase: the feature, and what TFDV says of it."""
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


def span_with_others(split: statistics.Statistics, tags: frozenset[str], newest: str) -> str:
    """Of which span a split has other tags than those, as far as that can be told: " of span 6", or " before span 6" if it is
    not the newest; "" without spans or without such tags.
    """
    if not newest or tags.issuperset(statistics.values(split, features.TAGS)):
        return ""
    in_newest = statistics.of_arrival(split, features.NEWEST) or split
    return (
        f" of {newest}"
        if not tags.issuperset(statistics.values(in_newest, features.TAGS))
        else f" before {newest}"
    )


def _read_anomalies(artifact: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    result = anomalies_pb2.Anomalies()
    path = os.path.join(artifact_utils.get_split_uri([artifact], split), "SchemaDiff.pb")
    result.ParseFromString(io_utils.read_bytes_file(path))
    return result


class _Spec(ComponentSpec):
    PARAMETERS = {
        "contract": ExecutionParameter(type=str),
        "drift": ExecutionParameter(type=str),
        "newest": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "baseline": ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=DataBlessing)}


class DataGate(base_component.BaseComponent):
    """Stops the run if the data breaks the contract.

    Args:
      anomalies: ExampleValidator's.
      statistics: of the data.
      schema: the contract.
      baseline: statistics of the data accepted before this; none on the first run.
      contract: path of the contract, for the message.
      drift: `STOP` or "warn", what to do about drift.
      newest: the newest span of the data, "" if it is not of spans.
      code: a hash of the sources that this step depends on.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        anomalies: types.BaseChannel,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        baseline: types.BaseChannel,
        contract: str,
        drift: str,
        newest: str,
        code: str,
    ):
        super().__init__(
            _Spec(
                anomalies=anomalies,
                statistics=statistics,
                schema=schema,
                baseline=baseline,
                contract=contract,
                drift=drift,
                newest=newest,
                code=code,
                blessing=types.Channel(type=DataBlessing),
            )
        )
