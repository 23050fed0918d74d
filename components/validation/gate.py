"""The gate on data: an anomaly stops the run before training.

TFX's ExampleValidator reports anomalies and lets the pipeline go on; this component does not.
"""

import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from components.errors import UserError
from components.validation import statistics

STATISTICS_ID = "statistics_id"


class DataBlessing(Artifact):
    """Says which statistics belong to data that passed the gate, by the custom property `STATISTICS_ID`."""

    TYPE_NAME = "DataBlessing"


class Executor(base_executor.BaseExecutor):
    """Raises UserError for anomalies in any split, or for drift of train against the data accepted before."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        found = [
            f"in {split}, {text}"
            for split in artifact_utils.decode_split_names(anomalies.split_names)
            for text in describe(_read_anomalies(anomalies, split))
        ]
        current = artifact_utils.get_single_instance(input_dict["statistics"])
        schema = io_utils.SchemaReader().read(
            io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict["schema"]))
        )
        if not found and input_dict.get("baseline"):
            before = statistics.load(artifact_utils.get_single_instance(input_dict["baseline"]))["train"]
            drift = tfdv.validate_statistics(statistics.load(current)["train"], schema, previous_statistics=before)
            found = [f"train against the run before, {text}" for text in describe(drift)]
        if found:
            raise UserError(
                f"the data breaks the contract: {'; '.join(found)}. Mend the data, or change the contract"
                f" in {exec_properties['contract']}"
            )
        artifact_utils.get_single_instance(output_dict["blessing"]).set_int_custom_property(STATISTICS_ID, current.id)


def describe(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Each anomaly as a phrase: the feature, and what TFDV says of it."""
    phrases = []
    for name, anomaly in sorted(anomalies.anomaly_info.items()):
        reasons = "; ".join(reason.description.strip().rstrip(".") for reason in anomaly.reason) or anomaly.description
        phrases.append(f"feature {name}: {reasons}")
    if anomalies.HasField("dataset_anomaly_info"):
        phrases.append(anomalies.dataset_anomaly_info.description)
    return phrases


def _read_anomalies(artifact: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    result = anomalies_pb2.Anomalies()
    path = os.path.join(artifact_utils.get_split_uri([artifact], split), "SchemaDiff.pb")
    result.ParseFromString(io_utils.read_bytes_file(path))
    return result


class _Spec(ComponentSpec):
    PARAMETERS = {"contract": ExecutionParameter(type=str), "code": ExecutionParameter(type=str)}
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
        code: str,
    ):
        super().__init__(
            _Spec(
                anomalies=anomalies,
                statistics=statistics,
                schema=schema,
                baseline=baseline,
                contract=contract,
                code=code,
                blessing=types.Channel(type=DataBlessing),
            )
        )
