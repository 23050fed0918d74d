"""The gate on single types: a model that the Evaluator blessed is held back if one of its types has lost too much.

TFMA's thresholds know no support, and fail for a type that only one of the two models has.
"""

import json
import os
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils, path_utils

from components.evaluation import results
from components.evaluation.type_losses import losses
from components.export import card

_REASONS = "reasons.json"
_COPIED = (
    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
    constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
    constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
)


class Executor(base_executor.BaseExecutor):
    """Blesses the model if the Evaluator did and no type has lost too much."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        given = artifact_utils.get_single_instance(input_dict["evaluator_blessing"])
        target = artifact_utils.get_single_instance(output_dict["blessing"])
        reasons = _losses(input_dict, exec_properties["tolerance"], exec_properties["support"])
        blessed = (
            not reasons
            and given.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
        )
        for key in _COPIED:
            if given.has_custom_property(key):
                value = given.get_custom_property(key)
                (
                    target.set_int_custom_property
                    if isinstance(value, int)
                    else target.set_string_custom_property
                )(key, value)
        target.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
        mark = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
        io_utils.write_string_file(os.path.join(target.uri, mark), "")
        io_utils.write_string_file(
            os.path.join(target.uri, _REASONS), json.dumps(reasons, ensure_ascii=False) + "\n"
        )


def read_reasons(blessing_uri: str) -> list[str]:
    """Why this gate held a model back; none if it did not."""
    return json.loads(Path(blessing_uri, _REASONS).read_text(encoding="utf-8"))


def _losses(
    input_dict: dict[str, list[types.Artifact]], tolerance: float, support: int
) -> list[str]:
    found = results.load(artifact_utils.get_single_uri(input_dict["evaluation"]))
    if not found.baseline:
        return []
    now, before = (
        {type_: results.parts(scores, type_) for type_ in results.types_in(scores)}
        for scores in (found.candidate[results.OVERALL], found.baseline[results.OVERALL])
    )
    new, serving = (
        _types_known(artifact_utils.get_single_instance(input_dict[key]))
        for key in ("model", "baseline_model")
    )
    return losses(before, now, serving - new, tolerance, support)


def _types_known(model: types.Artifact) -> set[str]:
    found = card.read(
        path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    )
    return set(found.types) if found else set()


class _Spec(ComponentSpec):
    PARAMETERS = {
        "tolerance": ExecutionParameter(type=float),
        "support": ExecutionParameter(type=int),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "evaluator_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.ModelBlessing)}


class TypeGate(base_component.BaseComponent):
    """Holds a model back if a type has lost too much against the model that serves.

    Args:
      evaluation: the Evaluator's.
      evaluator_blessing: the Evaluator's.
      model: the new one.
      baseline_model: the one that serves; none if there is none to compare with.
      tolerance: F1 that a type may lose.
      support: true entities below which a type is not judged.
      code: a hash of the sources that this step depends on.
    """

    SPEC_CLASS = _Spec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        evaluation: types.BaseChannel,
        evaluator_blessing: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        tolerance: float,
        support: int,
        code: str,
    ):
        super().__init__(
            _Spec(
                evaluation=evaluation,
                evaluator_blessing=evaluator_blessing,
                model=model,
                baseline_model=baseline_model,
                tolerance=tolerance,
                support=support,
                code=code,
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
