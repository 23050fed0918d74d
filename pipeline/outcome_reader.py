"""Reads the outcome of a run from ML Metadata and from the artifacts of its nodes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import tensorflow_model_analysis as tfma
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.corpus.splits import Splits
from components.evaluation import entity_metric, resolvers, type_gate
from components.progress import NodeEnded
from components.publishing import changes
from components.publishing.versions import Folders
from components.report import component, figures
from components.validation.data_gate import read_drift
from pipeline import metadata_store
from pipeline.history.artifacts import INPUTS, OUTPUTS, artifact_ids
from pipeline.nodes import REPORT
from pipeline.outcome import Outcome

Connection = metadata_store_pb2.ConnectionConfig


def best_settings(
    connection: Connection, executions: Mapping[str, int]
) -> Mapping[str, float | int]:
    """The best settings of a search, by group and name. `executions` has the id of each node's execution."""
    store = metadata_store.opened(connection)
    best = _output(store, executions["Tuner"], "best_hyperparameters")
    return json.loads(Path(best.uri, "best_hyperparameters.txt").read_text())["values"]


def read_figures(connection: Connection, executions: Mapping[str, int]) -> figures.Measured:
    """The figures of the Report node; the model compared with is named by its published version.

    Args:
      connection: how to reach ML Metadata.
      executions: id of each node's execution in this run.
    """
    store = metadata_store.opened(connection)
    artifact = _output(store, executions[REPORT], "figures")
    version = _baseline_version(store, executions[REPORT])
    measured = figures.parse(figures.Measured, Path(artifact.uri, component.FILE).read_bytes())
    comparison = measured.evaluation.comparison
    if not comparison or not version:
        return measured
    evaluation = replace(measured.evaluation, comparison=replace(comparison, model=version))
    return replace(measured, evaluation=evaluation)


def _baseline_version(store: MetadataStore, execution: int) -> str:
    """The version as which the execution's baseline model was published; "" if that is not known."""
    baseline = artifact_ids(store, [execution], INPUTS, "baseline_model")
    readers = {
        event.execution_id
        for event in store.get_events_by_artifact_ids(baseline)
        if event.type in INPUTS
    }
    pushed = artifact_ids(store, sorted(readers), OUTPUTS, "pushed_model")
    versions = (
        artifact.custom_properties["pushed_version"].string_value
        for artifact in store.get_artifacts_by_id(pushed)
    )
    return next(filter(None, versions), "")


def read_outcome(
    connection: Connection,
    folders: Folders,
    executions: Mapping[str, int],
    splits: Splits,
    serving_version: int | None,
    forced: bool,
    nodes: tuple[NodeEnded, ...],
) -> Outcome:
    """The outcome of a run.

    Args:
      connection: how to reach ML Metadata.
      folders: where the published versions are.
      executions: id of each node's execution in this run.
      splits: the corpus.
      serving_version: the version that served before the run.
      forced: whether the comparison with that version was switched off.
      nodes: the nodes that ended.
    """
    store = metadata_store.opened(connection)
    evaluation = _output(store, executions["Evaluator"], "evaluation")
    blessing = _output(store, executions["TypeGate"], "blessing")
    pushed = _output(store, executions["Pusher"], "pushed_model")
    accepted = _output(store, executions["DataGate"], "blessing")
    model = blessing.custom_properties["current_model_id"].int_value
    serves_other = (
        serving_version is not None
        and resolvers.published_model_id(store, str(serving_version)) != model
    )
    blessed = blessing.custom_properties["blessed"].int_value == 1
    candidate, baseline = entity_metric.load_results(evaluation.uri)
    scores = candidate[entity_metric.OVERALL]
    types = entity_metric.types_in(scores)
    return Outcome(
        overall=entity_metric.parts(scores),
        per_type={name: entity_metric.parts(scores, name) for name in types},
        by_length={
            slice_[0][1]: entity_metric.parts(values)
            for slice_, values in candidate.items()
            if slice_ != entity_metric.OVERALL
        },
        recall_by_novelty=_recall_by_novelty(scores),
        before=entity_metric.parts(baseline[entity_metric.OVERALL]) if baseline else None,
        incomparable=serves_other and not baseline and not forced,
        forced=forced,
        blessed=blessed,
        reasons=(*_missed_thresholds(evaluation.uri), *type_gate.read_reasons(blessing.uri)),
        **_publication(folders, _published_version(pushed) if blessed else ""),
        evaluated_on=splits.evaluated_on,
        spans=splits.span_numbers,
        drift=tuple({**asdict(entry), "past": entry.past} for entry in read_drift(accepted.uri)),
        nodes=nodes,
    )


def _output(store: MetadataStore, execution: int, key: str) -> metadata_store_pb2.Artifact:
    [artifact] = store.get_artifacts_by_id(artifact_ids(store, [execution], OUTPUTS, key))
    return artifact


def _recall_by_novelty(scores: Mapping[str, float]) -> dict[str, float]:
    prefix = entity_metric.metric_name("recall_")
    return {
        name.removeprefix(prefix): value
        for name, value in scores.items()
        if name.startswith(prefix)
    }


def _missed_thresholds(evaluation: str) -> list[str]:
    """Why TFMA's validation failed, a phrase for each threshold that was missed."""
    phrases = []
    for slice_ in tfma.load_validation_result(evaluation).metric_validations_per_slice:
        for failure in slice_.failures:
            value, threshold = failure.metric_value.double_value.value, failure.metric_threshold
            if not failure.HasField("metric_value"):
                name, problem = failure.metric_key.name, failure.message
                phrases.append(f"TFMA did not validate {name}: {problem}")
            elif threshold.HasField("change_threshold"):
                allowed = -threshold.change_threshold.absolute.value
                phrases.append(
                    f"F1 is {-value:.4f} lower than the serving model's; {allowed:g} is allowed"
                    " (gate.tolerance)"
                )
            else:
                lowest = threshold.value_threshold.lower_bound.value
                phrases.append(
                    f"F1 is {value:.4f}; at least {lowest:g} is required (gate.minimum_f1)"
                )
    return phrases


def _published_version(pushed: metadata_store_pb2.Artifact) -> str:
    """The number of the version that was published."""
    published = json.loads(Path(pushed.uri, "published.json").read_text(encoding="utf-8"))
    return Path(published["path"]).name


def _publication(folders: Folders, version: str) -> dict[str, object]:
    """What became of a version, as fields of `Outcome`: it may be live, a canary, withdrawn or removed."""
    path = folders.place(int(version)) if version else None
    if path is None:
        return {"published": None, "held": f"version {version} was removed" if version else ""}
    if path.parent != folders.withdrawn:
        canary = path.parent == folders.canary
        return {"published": str(path), "version": version, "canary": canary}
    held = changes.load_hold(folders.withdrawn) or f"version {version} was withdrawn"
    return {"published": None, "version": version, "held": str(held)}
