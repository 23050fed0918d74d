"""What came of a run: the scores, what the gate decided and why, and what was published; from TFX's artifacts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from components.evaluation import entity_metric
from pipeline.observe import LOOKS_UP

_OVERALL = ()
_MODEL_ID = "current_model_id"


@dataclass(frozen=True)
class Outcome:
    """Scores are dicts of precision, recall, f1 and support; those of the model before are None where there was none.

    `recall_by_novelty` is the recall of entities that train has (`seen`), has with another type (`seen_as_other`) or has
    not (`unseen`); `incomparable` says that there is an earlier model, which cannot be measured on the same data because its
    signatures are others; `published` is the version's folder, None where the gate let nothing through.
    """

    overall: Mapping[str, float]
    per_type: Mapping[str, Mapping[str, float]]
    by_length: Mapping[str, Mapping[str, float]]
    recall_by_novelty: Mapping[str, float]
    before: Optional[Mapping[str, float]]
    incomparable: bool
    blessed: bool
    reasons: tuple[str, ...]
    published: Optional[str]
    evaluated_on: str = ""
    nodes: tuple[Mapping[str, object], ...] = field(default=())

    @property
    def nothing_ran(self) -> bool:
        """Whether every step came from the cache. Resolvers, which only look up, do not count."""
        steps = [node for node in self.nodes if node["reason"] != LOOKS_UP]
        return bool(steps) and all(node["cached"] for node in steps)

    def as_dict(self) -> dict:
        return asdict(self)


def best_settings(
    connection: metadata_store_pb2.ConnectionConfig, executions: Mapping[str, int]
) -> Mapping[str, float | int]:
    """The settings that a search found best, by group and name."""
    with metadata.Metadata(connection) as handle:
        best = _output(handle, executions["Tuner"], "best_hyperparameters")
    return json.loads(Path(best.uri, "best_hyperparameters.txt").read_text())["values"]


def read(
    connection: metadata_store_pb2.ConnectionConfig,
    executions: Mapping[str, int],
    evaluated_on: str,
    nodes: tuple[Mapping[str, object], ...],
) -> Outcome:
    """The outcome of a run.

    Args:
      connection: ML Metadata.
      executions: id of each node's execution in this run.
      evaluated_on: name of the evaluated split.
      nodes: what became of each node, to be kept with the outcome.
    """
    with metadata.Metadata(connection) as handle:
        evaluation = _output(handle, executions["Evaluator"], "evaluation")
        blessing = _output(handle, executions["Evaluator"], "blessing")
        pushed = _output(handle, executions["Pusher"], "pushed_model")
        earlier = [
            one
            for one in handle.store.get_artifacts_by_type("ModelBlessing")
            if one.custom_properties["blessed"].int_value == 1
            and one.custom_properties[_MODEL_ID].int_value != blessing.custom_properties[_MODEL_ID].int_value
        ]
    blessed = blessing.custom_properties["blessed"].int_value == 1
    candidate = _load(evaluation.uri, tfma.CANDIDATE_KEY) or _load(evaluation.uri, "")
    baseline = _load(evaluation.uri, tfma.BASELINE_KEY)
    if baseline:
        candidate = {slice_: _without_differences(values) for slice_, values in candidate.items()}
    scores = candidate[_OVERALL]
    return Outcome(
        overall=_parts(scores),
        per_type={name: _parts(scores, name) for name in _types(scores)},
        by_length={slice_[0][1]: _parts(values) for slice_, values in candidate.items() if slice_ != _OVERALL},
        recall_by_novelty=_novelty(scores),
        before=_parts(baseline[_OVERALL]) if baseline else None,
        incomparable=bool(earlier) and not baseline,
        blessed=blessed,
        reasons=tuple(_reasons(evaluation.uri)),
        published=_published(pushed) if blessed else None,
        evaluated_on=evaluated_on,
        nodes=nodes,
    )


def _output(handle: metadata.Metadata, execution: int, key: str) -> metadata_store_pb2.Artifact:
    ids = [
        event.artifact_id
        for event in handle.store.get_events_by_execution_ids([execution])
        if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)
        and event.path.steps[0].key == key
    ]
    [artifact] = handle.store.get_artifacts_by_id(ids)
    return artifact


def _load(path: str, model: str) -> dict[tuple, dict[str, float]]:
    """Metric values by slice and name, of one of the models in an evaluation; none if that model is not in it."""
    result = tfma.load_eval_result(path, model_name=model)
    return (
        {
            tuple(slice_): {name: next(iter(value.values())) for name, value in metrics[""][""].items()}
            for slice_, metrics in result.slicing_metrics
            if metrics
        }
        if result.slicing_metrics
        else {}
    )


def _without_differences(values: Mapping[str, float]) -> dict[str, float]:
    """Without what TFMA adds where there are two models: beside each metric the difference between them."""
    return {name: value for name, value in values.items() if name.removesuffix("_diff") not in values.keys() - {name}}


def _types(scores: Mapping[str, float]) -> list[str]:
    prefix = entity_metric.metric_name("f1", "x")[:-1]
    return sorted(name[len(prefix) :] for name in scores if name.startswith(prefix))


def _parts(scores: Mapping[str, float], type_: str = "") -> dict[str, float]:
    parts = {part: scores[entity_metric.metric_name(part, type_)] for part in ("precision", "recall", "f1", "support")}
    return {**parts, "support": int(parts["support"])}


def _novelty(scores: Mapping[str, float]) -> dict[str, float]:
    prefix = entity_metric.metric_name("recall_")
    return {name[len(prefix) :]: value for name, value in scores.items() if name.startswith(prefix)}


def _reasons(path: str) -> list[str]:
    """Why TFMA's validation failed, a phrase for each threshold missed."""
    result = tfma.load_validation_result(path)
    phrases = []
    for slice_ in result.metric_validations_per_slice:
        for failure in slice_.failures:
            value, threshold = failure.metric_value.double_value.value, failure.metric_threshold
            if not failure.HasField("metric_value"):
                phrases.append(f"TFMA did not validate {failure.metric_key.name}: {failure.message}")
            elif threshold.HasField("change_threshold"):
                allowed = -threshold.change_threshold.absolute.value
                phrases.append(
                    f"F1 is {-value:.4f} lower than the model's before it; {allowed:g} is allowed (gate.tolerance)"
                )
            else:
                lowest = threshold.value_threshold.lower_bound.value
                phrases.append(f"F1 is {value:.4f}; at least {lowest:g} is asked for (gate.minimum_f1)")
    return phrases


def _published(pushed: metadata_store_pb2.Artifact) -> str:
    return json.loads((Path(pushed.uri) / "published.json").read_text(encoding="utf-8"))["path"]
