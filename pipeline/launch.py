"""Runs the pipeline's graph, and sends events: each node's start and end, whether it was cached, and why.

Cache keys do not depend on where the workdir and the corpus are. TFX hashes the input artifacts, with
their URIs and times, and all parameters of a node into its cache key. Both hold absolute paths, so that
a workdir that was moved would lose its cache. Here the workdir's path is replaced by a token, and
parameters that only say where something is are left out if another parameter has a hash of its content.
"""

import copy
import functools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.orchestration.pipeline import Pipeline, RunOptions

from components import progress
from components.compat import beam_private, tfx_private
from pipeline.config import LOCAL_RUNNER
from pipeline.history import artifacts
from pipeline.history.relocation import replace_root
from pipeline.nodes import LOOKS_UP
from pipeline.workdir import Workdir

_Execution = metadata_store_pb2.Execution
_DONE = (_Execution.COMPLETE, _Execution.CACHED)
# Parameters, and the keys of JSON objects in them, that do not change what a node makes. The content of
# the corpus, the schema and the vectors is in `corpus.fingerprint`, `state` and `vectors_content`.
IRRELEVANT = frozenset(
    {
        "corpus.splits.path",
        "corpus.splits.files",
        "corpus.splits.spans.path",
        "corpus.plan",  # follows from the content, the options and the code
        "schema_file",  # of DataGate, for its message
        "custom_config.schema",
        "custom_config.checkpoints",
        "custom_config.vectors",
        "custom_config.corpus",  # the name of the corpus, which is that of its folder
    }
)


def run_graph(
    graph: Pipeline, orchestrator: Literal["beam", "local"], run_id: str, until: str = ""
) -> None:
    """Runs all nodes, or the node `until` and those that it needs. Events go to `components.progress`.

    Args:
      graph: the pipeline.
      orchestrator: what runs it.
      run_id: the run's name in ML Metadata.
      until: the id of the last node to run, "" to run all.

    Raises:
      Exception: what a node raised.
    """
    root = Path(graph.pipeline_info.pipeline_root).parent  # the workdir
    runner = tfx_private.make_runner(orchestrator, functools.partial(_launch, root), run_id)
    keys = tfx_private.cache_keys(
        functools.partial(portable_artifacts, root=root),
        functools.partial(portable_parameters, root=root),
    )
    with beam_private.default_runner(LOCAL_RUNNER), keys:
        runner.run(graph, run_options=RunOptions(to_nodes=[until]) if until else None)


def portable_artifacts(
    artifacts: Mapping[str, Sequence[types.Artifact]], root: Path
) -> dict[str, list[types.Artifact]]:
    """Copies of artifacts without times, and with a token in place of the workdir's path."""
    return {
        key: [_portable_artifact(artifact, root) for artifact in group]
        for key, group in artifacts.items()
    }


def portable_parameters(parameters: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The relevant parameters, with a token in place of the workdir's path."""
    portable = {}
    for name, value in parameters.items():
        if name in IRRELEVANT:
            continue
        if isinstance(value, str):
            value = replace_root(_without_irrelevant(name, value), str(root), _token(root))
            if name == "path" and value.startswith("/"):
                continue  # a schema file outside the workdir; its content is in `state`
        portable[name] = value
    return portable


def _launch(root: Path, node: tfx_private.Node) -> None:
    progress.emit(progress.NodeStarted(node.id))
    start = time.monotonic()
    try:
        execution = node.launch()
    except BaseException as error:
        progress.emit(progress.NodeFailed(node.id, error, time.monotonic() - start))
        raise
    with node.metadata() as handle:
        cached, reason = _cached_and_reason(handle.store, node.id, execution, root)
    seconds = time.monotonic() - start
    progress.emit(progress.NodeEnded(node.id, execution, cached, reason, seconds))


def _cached_and_reason(
    store: MetadataStore, node: str, execution_id: int, root: Path
) -> tuple[bool, str]:
    """Whether an execution was cached, and why it ran or did not; `root` is the workdir."""
    [execution] = store.get_executions_by_id([execution_id])
    if execution.type.endswith("Resolver"):
        return False, LOOKS_UP
    if execution.last_known_state == _Execution.CACHED:
        return True, "same inputs, settings and code as before"
    earlier = [
        other
        for other in store.get_executions_by_type(execution.type)
        if other.id < execution_id
        and other.last_known_state != _Execution.CANCELED
        and artifacts.node_of(store, other.id) == node
    ]
    if not earlier:
        return False, "first run"
    last = max(earlier, key=lambda other: other.id)
    if last.last_known_state not in _DONE:
        return False, "it did not finish the last time"
    old, new = _inputs(store, last.id), _inputs(store, execution.id)
    changed_inputs = sorted(f"input {key}" for key in {*old, *new} if old.get(key) != new.get(key))
    changes = _changed_settings(last, execution, root) + changed_inputs
    return False, f"changed: {', '.join(changes)}" if changes else "its earlier output is gone"


def _changed_settings(before: _Execution, now: _Execution, root: Path) -> list[str]:
    old, new = (
        portable_parameters(
            {
                key: getattr(value, value.WhichOneof("value"))
                for key, value in execution.custom_properties.items()
                if not key.startswith("__")
            },
            root,
        )
        for execution in (before, now)
    )
    return sorted(
        {name for key in {*old, *new} for name in _differences(key, old.get(key), new.get(key))}
    )


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    """Names of the values that differ; looks into JSON objects."""
    if old == new:
        return
    old, new = (_parse_json(value) for value in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {*old, *new}:
            yield from _differences(key, old.get(key), new.get(key))
    elif old != new:
        yield name


def _parse_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _inputs(store: MetadataStore, execution_id: int) -> dict[str, set[int]]:
    """The ids of an execution's input artifacts, by key."""
    inputs: dict[str, set[int]] = {}
    for event in store.get_events_by_execution_ids([execution_id]):
        if event.type in artifacts.INPUTS:
            inputs.setdefault(event.path.steps[0].key, set()).add(event.artifact_id)
    return inputs


def _portable_artifact(artifact: types.Artifact, root: Path) -> types.Artifact:
    portable = copy.deepcopy(artifact)
    record = portable.mlmd_artifact
    record.ClearField("create_time_since_epoch")
    record.ClearField("last_update_time_since_epoch")
    record.uri = replace_root(record.uri, str(root), _token(root))
    for properties in (record.properties, record.custom_properties):
        for value in properties.values():
            if value.WhichOneof("value") == "string_value":
                value.string_value = replace_root(value.string_value, str(root), _token(root))
    return portable


def _token(root: Path) -> str:
    """Stands for the workdir's path; workdirs that share a database have tokens of their own."""
    location = Workdir(root, "").location
    return f"workdir:{location.id if location else ''}"


def _without_irrelevant(name: str, text: str) -> str:
    """A parameter without its irrelevant keys, if it is a JSON object that has any."""
    if not any(key.startswith(f"{name}.") for key in IRRELEVANT):
        return text
    try:
        values = json.loads(text)
    except ValueError:
        return text
    return json.dumps(_pruned(values, name), sort_keys=True)


def _pruned(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_pruned(element, name) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _pruned(inner, f"{name}.{key}")
        for key, inner in value.items()
        if f"{name}.{key}" not in IRRELEVANT
    }
