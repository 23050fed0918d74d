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
from pipeline.history.artifacts import node_of
from pipeline.history.record import TYPE, Facts
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
        """All facts, for JSON."""
        facts = asdict(self.facts)
        return {**facts, "state": self.state, "because": self.facts.reason}  # because: the old name


def load_runs(store: MetadataStore, workdir: Workdir) -> list[Run]:
    """Every run of the workdir, in the order in which they started."""
    runs = []
    for context in sorted(store.get_contexts_by_type(TYPE), key=lambda context: context.id):
        properties = {name: value.string_value for name, value in context.custom_properties.items()}
        facts = Facts.of(context.name, properties)
        # A SQLite file holds the runs of one workdir; a database server may hold those of several.
        if workdir.metadata.exists() or facts.workdir == str(workdir.root):
            unfinished = RUNNING if _is_running(facts, workdir) else KILLED
            runs.append(Run(facts, facts.verdict or unfinished))
    return runs


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

    For a run that failed or was killed they come from ML Metadata, which has no reasons and only the
    nodes that had started.
    """
    if run.facts.nodes:
        return list(run.facts.nodes)
    context = store.get_context_by_type_and_name("pipeline_run", run.name)
    executions = store.get_executions_by_context(context.id) if context else []
    nodes = []
    for execution in sorted(executions, key=lambda execution: execution.id):
        began, ended = execution.create_time_since_epoch, execution.last_update_time_since_epoch
        node = {
            "node": node_of(store, execution.id) or execution.type.rpartition(".")[2],
            "execution": execution.id,
            "cached": execution.last_known_state == _Execution.CACHED,
            "state": _STATES.get(execution.last_known_state, KILLED),
            "seconds": round((ended - began) / 1000, 2),
        }
        nodes.append(node)
    return nodes


def changed_settings(workdir: Workdir, old: Run, new: Run) -> dict[str, tuple[Any, Any]]:
    """The settings in which two runs differ, as (old value, new value) by dotted key.

    Empty if the configuration of one of them is no longer there.
    """
    before, after = (_load_settings(workdir, run) for run in (old, new))
    if before is None or after is None:
        return {}
    return {
        key: (before.get(key), after.get(key))
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    }


def _load_settings(workdir: Workdir, run: Run) -> dict[str, Any] | None:
    path = workdir.runs / run.name / "config.yaml"
    try:
        return flatten(rename_keys(yaml.safe_load(path.read_text(encoding="utf-8")))[0])
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return None


def _is_running(facts: Facts, workdir: Workdir) -> bool:
    """Whether the process of a run without a verdict is alive and holds the lock of the workdir."""
    if facts.host != socket.gethostname() or facts.process != workdir.holder:
        return False
    try:
        # A process that began later has the number of one that ended; a second is for rounding.
        return psutil.Process(facts.process).create_time() <= facts.started + 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
