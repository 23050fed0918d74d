"""Strategies of resolvers: the accepted data and the serving model to compare a run with.

TFX's LatestBlessedModelStrategy resolves to the run's own model if the run is repeated, so that a
model is compared with itself and later nodes are never cached. After a rollback it resolves to the
withdrawn model. These strategies consider only published models, and artifacts older than the run's
own.
"""

from typing import Optional

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.export import card
from components.validation.data_gate import STATISTICS_ID

_Artifacts = dict[str, list[types.Artifact]]
_Event, _Execution = metadata_store_pb2.Event, metadata_store_pb2.Execution
_FINISHED = (_Execution.COMPLETE, _Execution.CACHED)


class AcceptedStatisticsStrategy(resolver.ResolverStrategy):
    """Resolves `statistics` to the latest that `blessing` accepted before those in `current`."""

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: _Artifacts
    ) -> Optional[_Artifacts]:
        accepted = {
            blessing.get_int_custom_property(STATISTICS_ID) for blessing in input_dict["blessing"]
        }
        first_current = min((artifact.id for artifact in input_dict["current"]), default=0)
        candidates = [
            artifact
            for artifact in input_dict["statistics"]
            if artifact.id in accepted and artifact.id < first_current
        ]
        latest = sorted(candidates, key=lambda artifact: artifact.id)[-1:]
        return {**input_dict, "blessing": [], "statistics": latest}


class ServingModelStrategy(resolver.ResolverStrategy):
    """Resolves `model` to the serving model, if it can be compared with the one in `current`.

    A model whose card has another interface cannot be compared: its signatures differ. If the model
    in `current` is the serving model, the result is the model that it was compared with.

    Args:
      version: the serving version, or "" if there is nothing to compare with.
    """

    def __init__(self, version: str):
        self._version = version

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: _Artifacts
    ) -> Optional[_Artifacts]:
        current = {artifact.id for artifact in input_dict["current"]}
        chosen = published_model_id(store, self._version)
        if chosen in current:
            chosen = _input_of_latest_execution(
                store, chosen, _Event.INPUT, "model", "baseline_model"
            )
        models = [
            model
            for model in input_dict["model"]
            if model.id == chosen and _has_current_interface(model)
        ]
        return {**input_dict, "model": models}


class WarmStartStrategy(resolver.ResolverStrategy):
    """Resolves `model` to the serving model, from whose weights training starts.

    If the serving model was trained with the Transform graph in `current`, the result is the model
    that it started from, so that the model is not trained on the same data repeatedly.

    Args:
      version: the serving version, or "" if there is none.
    """

    def __init__(self, version: str):
        self._version = version

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: _Artifacts
    ) -> Optional[_Artifacts]:
        current = {artifact.id for artifact in input_dict["current"]}
        chosen = published_model_id(store, self._version)
        graph = _input_of_latest_execution(store, chosen, _Event.OUTPUT, "model", "transform_graph")
        if graph in current:
            chosen = _input_of_latest_execution(store, chosen, _Event.OUTPUT, "model", "base_model")
        models = [model for model in input_dict["model"] if model.id == chosen]
        return {**input_dict, "model": models}


def published_model_id(store: mlmd.MetadataStore, version: str) -> Optional[int]:
    """The id of the Model artifact that was published as a version, or None if it is unknown."""
    pushed = [
        artifact.id
        for artifact in store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        if version and artifact.custom_properties["pushed_version"].string_value == version
    ]
    return _input_of_latest_execution(
        store, pushed[-1] if pushed else None, _Event.OUTPUT, "pushed_model", "model"
    )


def _input_of_latest_execution(
    store: mlmd.MetadataStore, artifact_id: Optional[int], event_type: int, key: str, input_key: str
) -> Optional[int]:
    """The id of an input to the latest execution that made or evaluated an artifact.

    Args:
      store: the metadata store.
      artifact_id: the artifact.
      event_type: OUTPUT for executions that made the artifact, INPUT for Evaluators that read it.
      key: the artifact's output or input key in the execution.
      input_key: the key of the input to find.

    Returns:
      The input's id, or None if the execution or the input does not exist.
    """
    if artifact_id is None:
        return None
    execution_ids = {
        event.execution_id
        for event in store.get_events_by_artifact_ids([artifact_id])
        if event.type == event_type and event.path.steps[0].key == key
    }
    executions = [
        execution
        for execution in store.get_executions_by_id(sorted(execution_ids))
        if execution.last_known_state in _FINISHED
        and (event_type == _Event.OUTPUT or execution.type.endswith("Evaluator"))
    ]
    if not executions:
        return None
    return next(
        (
            event.artifact_id
            for event in store.get_events_by_execution_ids([executions[-1].id])
            if event.type == _Event.INPUT and event.path.steps[0].key == input_key
        ),
        None,
    )


def _has_current_interface(model: types.Artifact) -> bool:
    model_card = card.load_card(path_utils.serving_model_path(model.uri))
    return model_card is not None and model_card.interface == card.INTERFACE
