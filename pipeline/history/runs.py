"""The runs of a work folder, oldest first, as ML Metadata remembers them."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.errors import UserError
from components.settings import flatten, rename_keys
from pipeline.history.facts import TYPE, Facts
from pipeline.workdir import Workdir

RUNNING, KILLED = "running", "did not finish"

_Execution = metadata_store_pb2.Execution
_STATES = {_Execution.COMPLETE: "ran", _Execution.CACHED: "cached", _Execution.FAILED: "failed"}


@dataclass(frozen=True)
class Run:
    """A run: its facts, and its state, which is its verdict, or that it still runs, or that it was killed."""

    facts: Facts
    state: str

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.facts.run

    def as_dict(self) -> dict[str, Any]:
        """Everything of it, for JSON."""
        return {**asdict(self.facts), "state": self.state}


def runs(store, workdir: Workdir) -> list[Run]:
    """Every run in the work folder, in the order in which they started, whatever the clock said."""
    contexts = sorted(store.get_contexts_by_type(TYPE), key=lambda context: context.id)
    found = (
        Facts.of(
            context.name,
            {name: value.string_value for name, value in context.custom_properties.items()},
        )
        for context in contexts
    )
    return [
        Run(facts, facts.verdict or (RUNNING if _at_work(facts, workdir) else KILLED))
        for facts in found
        if facts.workdir == str(workdir.root) or workdir.metadata.exists()
    ]


def executions(store: MetadataStore, run: Run) -> list[metadata_store_pb2.Execution]:
    """The executions of a run, and of the search for settings before it."""
    contexts = (
        store.get_context_by_type_and_name("pipeline_run", f"{run.name}{suffix}")
        for suffix in ("", ".tuning")
    )
    return [
        execution
        for context in contexts
        if context
        for execution in store.get_executions_by_context(context.id)
    ]


def named(found: Sequence[Run], name: str) -> Run:
    """The run whose folder's name begins so. Raises UserError where that is none or several."""
    exact = [run for run in found if run.name == name]
    matching = exact or [run for run in found if run.name.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise UserError(f"{name}: no such run; `tfx-ner runs` lists them, newest last")
    raise UserError(f"{name}: {len(matching)} runs begin so; give more of {matching[-1].name}")


def before(found: Sequence[Run], run: Run) -> Run | None:
    """The run before another one, None for the first."""
    place = found.index(run)
    return found[place - 1] if place else None


def nodes(store, run: Run) -> list[Mapping[str, Any]]:
    """What became of each node, as `pipeline.outcome.Outcome.nodes` says it; of a run that failed or was killed, what ML Metadata
    knows: there is no reason then, and nothing of nodes that had not begun.
    """
    if run.facts.nodes:
        return list(run.facts.nodes)
    context = store.get_context_by_type_and_name("pipeline_run", run.name)
    executions = store.get_executions_by_context(context.id) if context else []
    return [
        {
            "node": _node(store, execution),
            "execution": execution.id,
            "cached": execution.last_known_state == _Execution.CACHED,
            "state": _STATES.get(execution.last_known_state, KILLED),
            "seconds": round(
                (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000,
                2,
            ),
        }
        for execution in sorted(executions, key=lambda one: one.id)
    ]


def changed_settings(workdir: Workdir, old: Run, new: Run) -> dict[str, tuple[Any, Any]]:
    """The settings in which two runs differ, with both values, by their keys; none where a configuration is no longer there."""
    values = [_settings(workdir, run) for run in (old, new)]
    if None in values:
        return {}
    first, second = values
    return {
        key: (first.get(key), second.get(key))
        for key in dict.fromkeys([*first, *second])
        if first.get(key) != second.get(key)
    }


def _settings(workdir: Workdir, run: Run) -> dict[str, Any] | None:
    path = workdir.runs / run.name / "config.yaml"
    try:
        return flatten(rename_keys(yaml.safe_load(path.read_text(encoding="utf-8")))[0])
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return None


def _at_work(facts: Facts, workdir: Workdir) -> bool:
    """Whether the process of a run that has no verdict is the one that holds the work folder, and is alive."""
    if facts.host != socket.gethostname() or facts.process != workdir.holder:
        return False
    try:
        os.kill(facts.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _node(store, execution) -> str:
    names = (
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == "node"
    )
    return next(names, execution.type).rpartition(".")[2]
