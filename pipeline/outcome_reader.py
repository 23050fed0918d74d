"""Reads the outcome of a run from ML Metadata and the artifacts of its nodes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Optional

import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from components.corpus.split_files import Splits
from components.evaluation import entity_metric, resolvers, type_gate
from components.progress import NodeEnded
from components.publishing import hold
from components.publishing.versions import Folders
from components.report import component, figures
from components.validation import drift
from pipeline.nodes import REPORT
from pipeline.outcome import Outcome

_MODEL_ID = "current_model_id"
_Event = metadata_store_pb2.Event


def best_settings(
    connection: metadata_store_pb2.ConnectionConfig, executions: Mapping[str, int]
) -> Mapping[str, float | int]:
    """The settings that a search found best, by group and name."""
    with metadata.Metadata(connection) as handle:
        best = _output(handle, executions["Tuner"], "best_hyperparameters")
    return json.loads(Path(best.uri, "best_hyperparameters.txt").read_text())["values"]


def measured(
    connection: metadata_store_pb2.ConnectionConfig, executions: Mapping[str, int]
) -> figures.Measured:
    """The figures of the run's report, the model before under the version that it was published as."""
    with metadata.Metadata(connection) as handle:
        found = _output(handle, executions[REPORT], "figures")
        version = _version_before(handle.store, executions[REPORT])
    result = figures.parse_measured(Path(found.uri, component.FILE).read_bytes())
    comparison = result.evaluation.comparison
    if not comparison or not version:
        return result
    return replace(
        result, evaluation=replace(result.evaluation, comparison=replace(comparison, model=version))
    )


def _version_before(store, execution: int) -> str:
    """The version that the execution's baseline model was published as, "" if that is not known."""
    before = [
        event.artifact_id
        for event in store.get_events_by_execution_ids([execution])
        if event.type == _Event.INPUT and event.path.steps[0].key == "baseline_model"
    ]
    taking = {
        event.execution_id
        for event in store.get_events_by_artifact_ids(before)
        if event.type == _Event.INPUT
    }
    pushed = [
        event.artifact_id
        for event in store.get_events_by_execution_ids(sorted(taking))
        if event.type == _Event.OUTPUT and event.path.steps[0].key == "pushed_model"
    ]
    versions = [
        one.custom_properties["pushed_version"].string_value
        for one in store.get_artifacts_by_id(pushed)
    ]
    return next(filter(None, versions), "")


def read(
    connection: metadata_store_pb2.ConnectionConfig,
    folders: Folders,
    executions: Mapping[str, int],
    splits: Splits,
    serves: Optional[int],
    forced: bool,
    nodes: tuple[NodeEnded, ...],
) -> Outcome:
    """The outcome of a run.

    Args:
      connection: ML Metadata.
      folders: where published versions lie.
      executions: id of each node's execution in this run.
      splits: the corpus.
      serves: the version that served before it.
      forced: whether the new model was not to be compared with that.
      nodes: what became of each node, to be kept with the outcome.
    """
    with metadata.Metadata(connection) as handle:
        evaluation = _output(handle, executions["Evaluator"], "evaluation")
        blessing = _output(handle, executions["TypeGate"], "blessing")
        pushed = _output(handle, executions["Pusher"], "pushed_model")
        accepted = _output(handle, executions["DataGate"], "blessing")
        model = blessing.custom_properties[_MODEL_ID].int_value
        serves_other = (
            serves is not None and resolvers.published_model_id(handle.store, str(serves)) != model
        )
    blessed = blessing.custom_properties["blessed"].int_value == 1
    candidate, baseline = entity_metric.load_results(evaluation.uri)
    scores = candidate[entity_metric.OVERALL]
    return Outcome(
        overall=entity_metric.parts(scores),
        per_type={
            name: entity_metric.parts(scores, name) for name in entity_metric.types_in(scores)
        },
        by_length={
            slice_[0][1]: entity_metric.parts(values)
            for slice_, values in candidate.items()
            if slice_ != entity_metric.OVERALL
        },
        recall_by_novelty=_novelty(scores),
        before=entity_metric.parts(baseline[entity_metric.OVERALL]) if baseline else None,
        incomparable=serves_other and not baseline and not forced,
        forced=forced,
        blessed=blessed,
        reasons=(*_reasons(evaluation.uri), *type_gate.read_reasons(blessing.uri)),
        **_whereabouts(folders, _published(pushed) if blessed else ""),
        evaluated_on=splits.evaluated_on,
        spans=tuple({"number": span.number, "version": span.version} for span in splits.spans),
        drift=tuple({**asdict(one), "past": one.past} for one in drift.read_drift(accepted.uri)),
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
                phrases.append(
                    f"TFMA did not validate {failure.metric_key.name}: {failure.message}"
                )
            elif threshold.HasField("change_threshold"):
                allowed = -threshold.change_threshold.absolute.value
                phrases.append(
                    f"F1 is {-value:.4f} lower than the serving model's; {allowed:g} is allowed (gate.tolerance)"
                )
            else:
                lowest = threshold.value_threshold.lower_bound.value
                phrases.append(
                    f"F1 is {value:.4f}; at least {lowest:g} is required (gate.minimum_f1)"
                )
    return phrases


def _published(pushed: metadata_store_pb2.Artifact) -> str:
    """The number of the version that was published."""
    return Path(
        json.loads((Path(pushed.uri) / "published.json").read_text(encoding="utf-8"))["path"]
    ).name


def _whereabouts(folders: Folders, version: str) -> dict[str, object]:
    """What has become of a version: it may be live, on trial, withdrawn or pruned."""
    place = folders.place(int(version)) if version else None
    if place is None:
        return {"published": None, "held": f"version {version} was removed" if version else ""}
    if place.parent != folders.withdrawn:
        return {
            "published": str(place),
            "version": version,
            "canary": place.parent == folders.canary,
        }
    held = hold.load(folders.withdrawn)
    return {
        "published": None,
        "version": version,
        "held": str(held) if held else f"version {version} was withdrawn",
    }
