"""The node TypeGate: holds back a model that lost too much on one entity type.

It judges models that the Evaluator blessed. TFMA's thresholds ignore support, and fail for a type
that only one of the two models has.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components.evaluation import entity_metric
from components.export import card

_REASONS = "reasons.json"
_COPIED_PROPERTIES = (
    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
    constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
    constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
    constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
)


@component
def TypeGate(
    evaluation: InputArtifact[standard_artifacts.ModelEvaluation],
    evaluator_blessing: InputArtifact[standard_artifacts.ModelBlessing],
    model: InputArtifact[standard_artifacts.Model],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    tolerance: Parameter[float],
    support: Parameter[int],
    code: Parameter[str],
    baseline_model: InputArtifact[standard_artifacts.Model] = None,
) -> None:
    """Blesses a model that the Evaluator blessed, if no entity type lost too much.

    Args:
      evaluation: the figures of the Evaluator.
      evaluator_blessing: the verdict of the Evaluator.
      model: the new model.
      blessing: the verdict of this gate, with the reasons if it is negative.
      tolerance: F1 that a type may lose.
      support: a type with fewer true entities is not judged.
      code: hash of the sources that this node depends on.
      baseline_model: the serving model, if there is one to compare with.
    """
    figures = entity_metric.load_results(evaluation.uri)
    reasons: list[str] = []
    if figures.baseline:
        candidate, baseline = (
            {type_: entity_metric.parts(scores, type_) for type_ in entity_metric.types_in(scores)}
            for scores in (
                figures.candidate[entity_metric.OVERALL],
                figures.baseline[entity_metric.OVERALL],
            )
        )
        unlearnt = _known_types(baseline_model) - _known_types(model)
        reasons = losses(baseline, candidate, unlearnt, tolerance, support)
    evaluator_verdict = evaluator_blessing.get_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY
    )
    blessed = not reasons and evaluator_verdict == 1
    for key in _COPIED_PROPERTIES:
        if evaluator_blessing.has_custom_property(key):
            value = evaluator_blessing.get_custom_property(key)
            if isinstance(value, int):
                blessing.set_int_custom_property(key, value)
            else:
                blessing.set_string_custom_property(key, value)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    mark = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, mark), "")
    io_utils.write_string_file(
        os.path.join(blessing.uri, _REASONS), json.dumps(reasons, ensure_ascii=False) + "\n"
    )


def losses(
    baseline: Mapping[str, Mapping[str, float]],
    candidate: Mapping[str, Mapping[str, float]],
    unlearnt: Iterable[str],
    tolerance: float,
    support: int,
) -> list[str]:
    """Finds the entity types that lost too much.

    Args:
      baseline: F1 and support by type, of the serving model.
      candidate: the same of the new model, on the same data.
      unlearnt: types that the serving model knows and the new one does not.
      tolerance: F1 that a type may lose.
      support: a type with fewer true entities is not judged by its F1.

    Returns:
      A phrase for each of these types.
    """
    unlearnt = sorted(unlearnt)
    phrases = [
        f"{type_}: the serving model knows this type, the new one does not (gate.type_tolerance)"
        for type_ in unlearnt
    ]
    for type_ in sorted(set(baseline).difference(unlearnt)):
        old_f1, new_f1 = baseline[type_]["f1"], candidate.get(type_, {"f1": 0.0})["f1"]
        if baseline[type_]["support"] >= support and old_f1 - new_f1 > tolerance:
            phrases.append(
                f"{type_}: F1 is {new_f1:.4f}, the serving model's {old_f1:.4f};"
                f" {tolerance:g} less is allowed (gate.type_tolerance)"
            )
    return phrases


def read_reasons(blessing_uri: str) -> list[str]:
    """The reasons why this gate held a model back; empty if it let the model through."""
    return json.loads(Path(blessing_uri, _REASONS).read_text(encoding="utf-8"))


def _known_types(model: types.Artifact) -> set[str]:
    """The entity types on a model's card."""
    model_card = card.load_card(path_utils.serving_model_path(model.uri))
    return set(model_card.types) if model_card else set()
