"""What a run is compared with: the data accepted, and the model blessed, before its own.

TFX's latest-blessed-model strategy gives a rerun its own model as baseline, so that nothing after it is ever cached, and
a model is measured against itself. These strategies look at what came before what the run has at hand.
"""

from typing import Optional

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.components.common import resolver
from tfx.utils import path_utils

from components.validation import gate
from serving import card

_Artifacts = dict[str, list[types.Artifact]]


class DataBefore(resolver.ResolverStrategy):
    """Of `statistics`, the latest that `blessing` accepted before those in `current`."""

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> Optional[_Artifacts]:
        accepted = {blessing.get_int_custom_property(gate.STATISTICS_ID) for blessing in input_dict["blessing"]}
        current = {artifact.id for artifact in input_dict["current"]}
        before = [
            artifact
            for artifact in input_dict["statistics"]
            if artifact.id in accepted and artifact.id < min(current, default=0)
        ]
        return {**input_dict, "blessing": [], "statistics": _latest(before)}


class ModelBefore(resolver.ResolverStrategy):
    """Of `model`, the latest that `blessing` blessed, other than the one in `current`, and that can be compared with it.

    A model of another interface (`serving.card`) cannot: its signatures differ.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> Optional[_Artifacts]:
        blessed = {
            artifact.get_int_custom_property("current_model_id")
            for artifact in input_dict["blessing"]
            if artifact.get_int_custom_property("blessed") == 1
        }
        current = {artifact.id for artifact in input_dict["current"]}
        before = [
            artifact for artifact in input_dict["model"] if artifact.id in blessed - current and _comparable(artifact)
        ]
        return {**input_dict, "blessing": [], "model": _latest(before)}


def _latest(artifacts: list[types.Artifact]) -> list[types.Artifact]:
    return sorted(artifacts, key=lambda artifact: artifact.id)[-1:]


def _comparable(model: types.Artifact) -> bool:
    path = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    found = card.read(path)
    return found is not None and found.interface == card.INTERFACE
