"""What a run is compared with: the data accepted before its own, and the model that serves.

TFX's latest-blessed-model strategy gives a rerun its own model as baseline, so that nothing after it is ever cached, and
a model is measured against itself; and after a rollback it gives the model that was withdrawn. These strategies look at what
came before what the run has at hand, and at what is published.
"""

from typing import Optional

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.export import card
from components.validation import gate

_Artifacts = dict[str, list[types.Artifact]]
_Event, _Execution = metadata_store_pb2.Event, metadata_store_pb2.Execution
_DONE = (_Execution.COMPLETE, _Execution.CACHED)


class DataBefore(resolver.ResolverStrategy):
    """Of `statistics`, the latest that `blessing` accepted before those in `current`."""

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: _Artifacts
    ) -> Optional[_Artifacts]:
        accepted = {
            blessing.get_int_custom_property(gate.STATISTICS_ID)
            for blessing in input_dict["blessing"]
        }
        current = {artifact.id for artifact in input_dict["current"]}
        before = [
            artifact
            for artifact in input_dict["statistics"]
            if artifact.id in accepted and artifact.id < min(current, default=0)
        ]
        return {**input_dict, "blessing": [], "statistics": _latest(before)}


class ModelBefore(resolver.ResolverStrategy):
    """Of `model`, the one that serves as `version`, if it can be compared with the one in `current`.

    A model of another interface (its card says which) cannot: its signatures differ. Where the current one serves itself, it is the
    one that it was compared with when it was new.

    Args:
      version: the version that serves, "" if there is none to compare with.
    """

    def __init__(self, version: str):
        self._version = version

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: _Artifacts
    ) -> Optional[_Artifacts]:
        current = {artifact.id for artifact in input_dict["current"]}
        chosen = model_of(store, self._version)
        if chosen in current:
            chosen = _latest_input(store, chosen, _Event.INPUT, "model", "baseline_model")
        found = [
            model for model in input_dict["model"] if model.id == chosen and _comparable(model)
        ]
        return {**input_dict, "model": found}


class WeightsBefore(resolver.ResolverStrategy):
    """Of `model`, the one that serves as `version`: training starts from its weights.

    Where it was made from the Transform graph in `current`, it is the one that it was started from itself: the same data is not
    trained on again and again.

    Args:
      version: the version that serves, "" if none does.
    """

    def __init__(self, version: str):
        self._version = version

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: _Artifacts
    ) -> Optional[_Artifacts]:
        current = {artifact.id for artifact in input_dict["current"]}
        chosen = model_of(store, self._version)
        if _latest_input(store, chosen, _Event.OUTPUT, "model", "transform_graph") in current:
            chosen = _latest_input(store, chosen, _Event.OUTPUT, "model", "base_model")
        return {
            **input_dict,
            "model": [model for model in input_dict["model"] if model.id == chosen],
        }


def model_of(store: mlmd.MetadataStore, version: str) -> Optional[int]:
    """The id of the Model artifact that was published as a version; None if that is not known."""
    pushed = [
        one.id
        for one in store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        if version and one.custom_properties["pushed_version"].string_value == version
    ]
    return _latest_input(
        store, pushed[-1] if pushed else None, _Event.OUTPUT, "pushed_model", "model"
    )


def _latest_input(
    store: mlmd.MetadataStore, artifact: Optional[int], kind: int, key: str, wanted: str
) -> Optional[int]:
    """The input `wanted` of the latest execution that made an artifact as its output `key`, or of the latest Evaluator that took it
    as its input `key`, as `kind` says; None if there is none such, or it had no such input.
    """
    if artifact is None:
        return None
    events = store.get_events_by_artifact_ids([artifact])
    ids = {
        event.execution_id
        for event in events
        if event.type == kind and event.path.steps[0].key == key
    }
    executions = [
        one for one in store.get_executions_by_id(sorted(ids)) if one.last_known_state in _DONE
    ]
    steps = [one for one in executions if kind == _Event.OUTPUT or one.type.endswith("Evaluator")]
    if not steps:
        return None
    inputs = store.get_events_by_execution_ids([steps[-1].id])
    return next(
        (
            one.artifact_id
            for one in inputs
            if one.type == _Event.INPUT and one.path.steps[0].key == wanted
        ),
        None,
    )


def _latest(artifacts: list[types.Artifact]) -> list[types.Artifact]:
    return sorted(artifacts, key=lambda artifact: artifact.id)[-1:]


def _comparable(model: types.Artifact) -> bool:
    path = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    found = card.read(path)
    return found is not None and found.interface == card.INTERFACE
