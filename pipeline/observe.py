"""Watches the nodes of a run: when each starts and ends, whether it ran or was cached, and why.

Both of TFX's local orchestrators launch nodes by `launcher.Launcher`, which has no hook of its own.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable import launcher
from tfx.proto.orchestration import executable_spec_pb2

from components import progress
from pipeline.cache_key import portable_cache_keys, portable_parameters
from pipeline.nodes import LOOKS_UP

_Execution = metadata_store_pb2.Execution
_DONE = (_Execution.COMPLETE, _Execution.CACHED)


class _ObservedLauncher(launcher.Launcher):
    root: Path  # of the workdir

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        # What runs the node has its own copy. From here on it is a part of the cache's key, and where Beam runs is no part of
        # what comes of it: a cluster's new address must not make everything anew.
        if isinstance(self._executor_spec, executable_spec_pb2.BeamExecutableSpec):
            bare = executable_spec_pb2.BeamExecutableSpec()
            bare.python_executor_spec.CopyFrom(self._executor_spec.python_executor_spec)
            self._executor_spec = bare

    def launch(self):
        node = self._pipeline_node.node_info.id
        progress.report("node_started", node=node)
        started = time.monotonic()
        try:
            info = super().launch()
        except BaseException as error:
            progress.report(
                "node_failed", node=node, error=error, seconds=time.monotonic() - started
            )
            raise
        with self._mlmd_connection as handle:
            cached, reason = _how(handle, node, info.execution_id, self.root)
        progress.report(
            "node_ended",
            node=node,
            execution=info.execution_id,
            cached=cached,
            reason=reason,
            seconds=time.monotonic() - started,
        )
        return info


@contextlib.contextmanager
def observed(root: Path) -> Iterator[None]:
    """While it lasts, nodes report `node_started`, `node_ended` and `node_failed` through `components.progress`.

    The cache keys of nodes do not depend on `root`, the path of the workdir.
    """
    launcher_class = type("_Launcher", (_ObservedLauncher,), {"root": root})
    with mock.patch.object(launcher, "Launcher", launcher_class), portable_cache_keys(root):
        yield


def _how(handle: metadata.Metadata, node: str, execution_id: int, root: Path) -> tuple[bool, str]:
    """Whether an execution was cached, and why it ran or did not."""
    store = handle.store
    [execution] = store.get_executions_by_id([execution_id])
    earlier = sorted(
        (
            one
            for one in store.get_executions_by_type(_type_name(store, execution))
            if one.id < execution_id
            and one.last_known_state != _Execution.CANCELED
            and _node(store, one) == node
        ),
        key=lambda one: one.id,
    )
    if _type_name(store, execution).endswith("Resolver"):
        return False, LOOKS_UP
    if execution.last_known_state == _Execution.CACHED:
        return True, "same inputs, settings and code as before"
    if not earlier:
        return False, "first run"
    last = earlier[-1]
    if last.last_known_state not in _DONE:
        return False, "it did not finish the last time"
    changed = _changed_settings(last, execution, root) + _changed_inputs(store, last, execution)
    return False, f"changed: {', '.join(changed)}" if changed else "its earlier output is gone"


def _type_name(store, execution: _Execution) -> str:
    [found] = store.get_execution_types_by_id([execution.type_id])
    return found.name


def _node(store, execution: _Execution) -> str:
    names = [
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if "." in context.name and context.type == "node"
    ]
    return names[0].partition(".")[2] if names else ""


def _changed_settings(before: _Execution, now: _Execution, root: Path) -> list[str]:
    old, new = (
        portable_parameters(
            {
                key: _value(value)
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


def _value(value: metadata_store_pb2.Value):
    return getattr(value, value.WhichOneof("value"))


def _differences(name: str, old, new) -> Iterator[str]:
    """Names of what differs between two values, looked into where they are JSON objects."""
    if old == new:
        return
    old, new = (_parsed(value) for value in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {*old, *new}:
            yield from _differences(key, old.get(key), new.get(key))
    elif old != new:
        yield name


def _parsed(value):
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _changed_inputs(store, before: _Execution, now: _Execution) -> list[str]:
    old, new = _inputs(store, before.id), _inputs(store, now.id)
    return sorted(f"input {key}" for key in {*old, *new} if old.get(key) != new.get(key))


def _inputs(store, execution_id: int) -> dict[str, set[int]]:
    inputs: dict[str, set[int]] = {}
    for event in store.get_events_by_execution_ids([execution_id]):
        if event.type in (metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.DECLARED_INPUT):
            inputs.setdefault(event.path.steps[0].key, set()).add(event.artifact_id)
    return inputs
