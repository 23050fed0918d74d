"""The runs of a workdir in ML Metadata: recorded at their start and end, listed, found by name and compared;
and the versions that they published.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

import psutil
import yaml
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.errors import UserError
from components.export import card
from components.publishing import changes, versions
from components.settings import flatten, rename_keys
from pipeline import __version__, code_hash, exits, metadata_store
from pipeline.config import Config
from pipeline.history import artifacts
from pipeline.workdir import Workdir, match_run_name

TYPE = (
    "tfx_ner_run"  # of the context; its name is that of the run's folder and of TFX's own context
)
BY_HAND = "by hand"  # the reason of a run if none is given
RUNNING, KILLED = "running", "did not finish"
_PACKAGES = (
    "tfx", "tensorflow", "keras", "tensorflow-transform", "tensorflow-data-validation", "tensorflow-model-analysis",
    "apache-beam", "ml-metadata", "numpy", "protobuf",
)  # fmt: skip
_OLD_NAMES = {"because": "reason"}  # in records of earlier releases
_Execution = metadata_store_pb2.Execution
_STATES = {_Execution.COMPLETE: "ran", _Execution.CACHED: "cached", _Execution.FAILED: "failed"}


@dataclass(frozen=True)
class Facts:
    """What is recorded of a run. Scores and nodes are as in `pipeline.outcome.Outcome`."""

    run: str  # name of its folder
    workdir: str  # path of the workdir
    reason: str  # why it started
    corpus: str  # name of the corpus
    data: str  # path of the corpus
    started: float  # when it started, in seconds since 1970
    process: int  # id of its process
    host: str  # the machine of that process
    config_hash: str  # hash of its configuration
    code_hash: str  # hash of the code
    packages: Mapping[str, str] = field(default_factory=dict)  # versions of the packages by name
    data_hash: str = ""  # hash of the corpus
    spans: Sequence[Mapping[str, int]] = ()  # number and version of each span of its data
    sentences: Mapping[str, int] = field(default_factory=dict)  # number of sentences by split
    seconds: float | None = None  # how long it took; None until it has ended
    verdict: str = ""  # how it ended, in a word; "" until it has ended
    code: int | None = None  # its exit code; None until it has ended
    error: str = ""  # its error message if it failed
    reasons: Sequence[str] = ()  # why the gate refused the model
    evaluated_on: str = ""  # the split that the scores are of
    overall: Mapping[str, float] | None = None  # scores over all types
    per_type: Mapping[str, Mapping[str, float]] | None = None  # scores by type
    before: Mapping[str, float] | None = None  # scores of the model that served before
    version: str = ""  # the version that it published, wherever that is now
    until: str = ""  # the node after which it had to stop; "" to run to the end
    nodes: Sequence[Mapping[str, Any]] = ()  # its nodes

    def properties(self) -> dict[str, str]:
        """The values by name: strings as they are, others as JSON; empty values are left out."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in asdict(self).items()
            if name != "run" and (name not in _OPTIONAL or value not in (None, "", (), [], {}))
        }

    @classmethod
    def of(cls, run: str, properties: Mapping[str, str]) -> "Facts":
        """The facts in the properties of a run's context; properties of later versions are ignored."""
        types = {entry.name: entry.type for entry in fields(cls)}
        values = {_OLD_NAMES.get(name, name): value for name, value in properties.items()}
        parsed = {
            name: value if types[name] is str else json.loads(value)
            for name, value in values.items()
            if name in types
        }
        return cls(run=run, **parsed)


_OPTIONAL = {
    entry.name
    for entry in fields(Facts)
    if entry.default is not MISSING or entry.default_factory is not MISSING
}


class Record:
    """Writes the facts of a run each time that something is added to them.

    Args:
      connection: how to reach ML Metadata.
      facts: what is known at the start.
    """

    def __init__(self, connection: metadata_store_pb2.ConnectionConfig, facts: Facts):
        self.facts = facts
        self._connection, self._context, self._began = connection, None, time.monotonic()
        self._write()

    def add(self, **facts: Any) -> None:
        """Records more facts."""
        self.facts = replace(self.facts, **facts)
        self._write()

    def end(self, verdict: str, code: int, **facts: Any) -> None:
        """Records how the run ended. An error of ML Metadata is only printed: the outcome matters more."""
        seconds = round(time.monotonic() - self._began, 1)
        try:
            self.add(verdict=verdict, code=code, seconds=seconds, **facts)
        except Exception as error:  # whatever it is, the run has ended as it has
            print(f"tfx-ner: {' '.join(str(error).split())}", file=sys.stderr)

    def _write(self) -> None:
        store = metadata_store.opened(self._connection)
        try:
            if self._context is None:
                type_id = store.put_context_type(metadata_store_pb2.ContextType(name=TYPE))
                self._context = metadata_store_pb2.Context(type_id=type_id, name=self.facts.run)
            for name, value in self.facts.properties().items():
                self._context.custom_properties[name].string_value = value
            [self._context.id] = store.put_contexts([self._context])
        except Exception as error:  # ml_metadata raises errors of several unrelated classes
            problem = metadata_store.reason(error)
            raise metadata_store.StoreError(
                f"cannot write the history into ML Metadata ({problem})"
            ) from error


def start_record(
    connection: metadata_store_pb2.ConnectionConfig,
    run: str,
    config: Config,
    workdir: str,
    corpus: str,
    data: str,
    reason: str,
) -> Record:
    """Records that a run starts.

    Args:
      connection: how to reach ML Metadata.
      run: the name of its folder.
      config: its configuration.
      workdir: the path of the workdir.
      corpus: the name of the corpus.
      data: the path of the corpus.
      reason: why it starts.

    Raises:
      UserError, StoreError: as `pipeline.metadata_store.opened` does.
    """
    facts = Facts(
        run=run,
        workdir=workdir,
        reason=reason,
        corpus=corpus,
        data=data,
        started=round(time.time(), 3),
        process=os.getpid(),
        host=socket.gethostname(),
        config_hash=hashlib.sha256(config.dump().encode()).hexdigest()[:16],
        code_hash=code_hash.whole_hash(),
        packages={
            "tfx-ner": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
    )
    return Record(connection, facts)


@contextlib.contextmanager
def recording_errors(record: Record) -> Iterator[None]:
    """Records an exception that ends the run, and raises it again."""
    try:
        yield
    except BaseException as error:
        verdict, code = "failed", exits.FAILED
        if isinstance(error, UserError):
            verdict, code = "bad input", exits.BAD_INPUT
        elif isinstance(error, KeyboardInterrupt):
            verdict, code = "stopped", exits.STOPPED
        record.end(verdict, code, error=" ".join(str(error).split()) or type(error).__name__)
        raise


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
            "node": artifacts.node_of(store, execution.id) or execution.type.rpartition(".")[2],
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


@dataclass(frozen=True)
class Model:
    """A published version."""

    version: int  # its number
    # serving, fallback (the next to serve), canary, live, withdrawn, or held (published during a hold)
    state: str
    path: str  # its folder
    published: float | None  # when, in seconds since 1970; None if ML Metadata has no record of it
    run: Run | None  # the run that published it; None if ML Metadata has no record of it
    types: tuple[str, ...]  # its entity types
    signatures: int | None  # the version of its interface; None without a readable model card

    def as_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return {**asdict(self), "run": self.run.as_dict() if self.run else None}


def load_models(store: MetadataStore, workdir: Workdir) -> list[Model]:
    """Every version that is there, live or withdrawn, lowest first."""
    runs_by_name = {run.name: run for run in load_runs(store, workdir)}
    pushed, states = artifacts.published_versions(store), _states(workdir.versions)
    models = []
    for version in workdir.versions.all:
        path, artifact = workdir.versions.place(version), pushed.get(str(version))
        model_card = card.load_card(path)
        models.append(
            Model(
                version,
                states[version],
                str(path),
                artifact.create_time_since_epoch / 1000 if artifact else None,
                runs_by_name.get(_run_of(store, artifact)) if artifact else None,
                model_card.types if model_card else (),
                model_card.interface if model_card else None,
            )
        )
    return models


def _run_of(store: MetadataStore, artifact: artifacts.Artifact) -> str:
    """The name of the run that made an artifact; "" if there is no record of it."""
    contexts = store.get_contexts_by_artifact(artifact.id)
    names = {context.id: context.name for context in contexts if context.type == "pipeline_run"}
    return names[min(names)] if names else ""


def _states(folders: versions.Folders) -> dict[int, str]:
    """The state of each version."""
    held = changes.load_hold(folders.withdrawn)
    states = dict.fromkeys(versions.versions(folders.withdrawn), "withdrawn")
    if held:
        states |= {version: "held" for version in states if version > held.left}
    states |= dict.fromkeys(versions.versions(folders.live), "live")
    special = {
        "fallback": changes.fallback(folders),
        "serving": versions.serving(folders),
        "canary": versions.canary(folders),
    }
    return states | {version: state for state, version in special.items() if version is not None}
