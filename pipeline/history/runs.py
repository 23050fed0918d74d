"""The runs of a workdir as ML Metadata has them: listed, found by name, and compared."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import yaml
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.errors import UserError
from components.settings import flatten, rename_keys
from pipeline.history.facts import TYPE, Facts
from pipeline.workdir import Workdir, match_run_name

RUNNING, KILLED = "running", "did not finish"

_Execution = metadata_store_pb2.Execution
_STATES = {_Execution.COMPLETE: "ran", _Execution.CACHED: "cached", _Execution.FAILED: "failed"}


@dataclass(frozen=True)
class Run:
    """A run as ML Metadata has it."""

    facts: Facts  # what was recorded of it
    state: str  # its verdict; `RUNNING` or `KILLED` if it has none

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.facts.run

    def as_dict(self) -> dict[str, Any]:
        """Everything of it, for JSON."""
        return {**asdict(self.facts), "state": self.state}


def load_runs(store: MetadataStore, workdir: Workdir) -> list[Run]:
    """Every run of the workdir, in the order in which they started."""
    contexts = sorted(store.get_contexts_by_type(TYPE), key=lambda context: context.id)
    recorded = (
        Facts.of(
            context.name,
            {name: value.string_value for name, value in context.custom_properties.items()},
        )
        for context in contexts
    )
    # A SQLite file holds the runs of one workdir; a database server may hold those of several.
    return [
        Run(facts, facts.verdict or (RUNNING if _is_running(facts, workdir) else KILLED))
        for facts in recorded
        if facts.workdir == str(workdir.root) or workdir.metadata.exists()
    ]


def load_executions(store: MetadataStore, run: Run) -> list[metadata_store_pb2.Execution]:
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


def find_run(runs: Sequence[Run], prefix: str) -> Run:
    """The run whose name begins with `prefix`. Raises UserError if there is no such run, or more than one."""
    if not runs:
        raise UserError(f"{prefix}: no such run; the workdir has no runs yet")
    name = match_run_name([run.name for run in runs], prefix)
    return next(run for run in runs if run.name == name)


def previous_run(runs: Sequence[Run], run: Run) -> Run | None:
    """The run before another one; None for the first."""
    index = runs.index(run)
    return runs[index - 1] if index else None


def load_nodes(store: MetadataStore, run: Run) -> list[Mapping[str, Any]]:
    """The nodes of a run, as `pipeline.outcome.Outcome.nodes` has them.

    For a run that failed or was killed they come from ML Metadata, which has no reasons and only the nodes
    that had begun.
    """
    if run.facts.nodes:
        return list(run.facts.nodes)
    context = store.get_context_by_type_and_name("pipeline_run", run.name)
    executions = store.get_executions_by_context(context.id) if context else []
    return [
        {
            "node": _node_of(store, execution),
            "execution": execution.id,
            "cached": execution.last_known_state == _Execution.CACHED,
            "state": _STATES.get(execution.last_known_state, KILLED),
            "seconds": round(
                (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000,
                2,
            ),
        }
        for execution in sorted(executions, key=lambda execution: execution.id)
    ]


def changed_settings(workdir: Workdir, old: Run, new: Run) -> dict[str, tuple[Any, Any]]:
    """The settings in which two runs differ, as (old value, new value) by dotted key.

    Empty if the configuration of one of them is no longer there.
    """
    first, second = (_load_settings(workdir, run) for run in (old, new))
    if first is None or second is None:
        return {}
    return {
        key: (first.get(key), second.get(key))
        for key in dict.fromkeys([*first, *second])
        if first.get(key) != second.get(key)
    }


def _load_settings(workdir: Workdir, run: Run) -> dict[str, Any] | None:
    path = workdir.runs / run.name / "config.yaml"
    try:
        return flatten(rename_keys(yaml.safe_load(path.read_text(encoding="utf-8")))[0])
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return None


def _is_running(facts: Facts, workdir: Workdir) -> bool:
    """Whether the process of a run without a verdict lives and holds the lock of the workdir."""
    if facts.host != socket.gethostname() or facts.process != workdir.holder:
        return False
    try:
        # A process that began later has the number of one that ended; a second is for rounding.
        return psutil.Process(facts.process).create_time() <= facts.started + 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _node_of(store: MetadataStore, execution: metadata_store_pb2.Execution) -> str:
    """The id of the node that an execution is of."""
    names = (
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == "node"
    )
    return next(names, execution.type).rpartition(".")[2]
