"""The figures of an evaluation, as TFMA keeps them."""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow_model_analysis as tfma

from components.evaluation import entity_metric

OVERALL = ()
"""The slice that has every sentence."""

_PARTS = ("precision", "recall", "f1", "support")


class Results(NamedTuple):
    """Metric values by slice and name, of the new model and of the one before it; the latter empty where there was none."""

    candidate: Mapping[tuple, Mapping[str, float]]
    baseline: Mapping[tuple, Mapping[str, float]]


def load(path: str) -> Results:
    """The figures of the evaluation in the folder `path`."""
    candidate = _load(path, tfma.CANDIDATE_KEY) or _load(path, "")
    baseline = _load(path, tfma.BASELINE_KEY)
    if baseline:
        candidate = {slice_: _without_differences(values) for slice_, values in candidate.items()}
    return Results(candidate, baseline)


def types_in(scores: Mapping[str, float]) -> list[str]:
    """The entity types that a slice has scores of, in alphabetical order."""
    prefix = entity_metric.metric_name("f1", "x")[:-1]
    return sorted(name[len(prefix) :] for name in scores if name.startswith(prefix))


def parts(scores: Mapping[str, float], type_: str = "") -> dict[str, float]:
    """Precision, recall, f1 and support in a slice, of all types or of one."""
    found = {part: scores[entity_metric.metric_name(part, type_)] for part in _PARTS}
    return {**found, "support": int(found["support"])}


def _load(path: str, model: str) -> dict[tuple, dict[str, float]]:
    """Those of one of the models; none if that model is not in the evaluation."""
    result = tfma.load_eval_result(path, model_name=model)
    return (
        {
            tuple(slice_): {
                name: next(iter(value.values())) for name, value in metrics[""][""].items()
            }
            for slice_, metrics in result.slicing_metrics
            if metrics
        }
        if result.slicing_metrics
        else {}
    )


def _without_differences(values: Mapping[str, float]) -> dict[str, float]:
    """Without what TFMA adds where there are two models: beside each metric the difference between them."""
    return {
        name: value
        for name, value in values.items()
        if name.removesuffix("_diff") not in values.keys() - {name}
    }
