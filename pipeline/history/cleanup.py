"""Cleaning a workdir: before and after each run, by pruning, and by setting aside files of unknown origin.

`clean_up` deletes only what ML Metadata proves to be left by a killed run. Everything else that no record
accounts for, as after a backup was restored in part, is moved into `WORKDIR/set-aside`, which pruning
empties after some days.

`prune` removes the artifacts of old runs, with their reports, from the disk and from ML Metadata. It keeps
the inputs and outputs of the nodes of the runs that are kept (the outputs of a cached node are those of an
older run), everything from which a published or withdrawn version was made, and the report of the run that
made it.

The caller of these functions holds the lock of the workdir.
"""

import contextlib
import datetime
import json
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components import atomic_io
from components.publishing import versions
from components.settings import Keep
from pipeline import metadata_store
from pipeline.history import artifacts, relocation, runs
from pipeline.workdir import Workdir

_Execution = metadata_store_pb2.Execution
UNFINISHED = (_Execution.NEW, _Execution.RUNNING)
_FAILED = (*UNFINISHED, _Execution.FAILED, _Execution.CANCELED)
# Inputs that a node only compares with; its outputs are not made from them.
_COMPARED = ("baseline", "baseline_model")
MANIFEST = "manifest.json"  # in each folder of `WORKDIR/set-aside`: when, why and from where the files came
_REASON = "ML Metadata has no record of these folders"


@dataclass(frozen=True)
class Removed:
    """What pruning removed."""

    artifacts: tuple[str, ...]  # the folders of the artifacts
    bytes: int  # their size
    set_aside: tuple[str, ...] = ()  # folders below `WORKDIR/set-aside` that were old enough

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class SetAside:
    """A folder of files of unknown origin."""

    folder: Path  # where they are now
    time: float  # when they were set aside, in seconds since 1970
    sources: tuple[str, ...]  # where they were, as paths within the workdir


@contextlib.contextmanager
def around_run(
    connection: metadata_store_pb2.ConnectionConfig, workdir: Workdir, keep: Keep
) -> Iterator[None]:
    """Cleans the workdir before and after a run, and prunes old runs after it if `keep` says so.

    Args:
      connection: how to reach ML Metadata.
      workdir: the workdir of the run; its paths in ML Metadata are updated first if it was moved.
      keep: the settings under `keep`.

    Raises:
      StoreError, UserError: ML Metadata cannot be opened before the run. An error after the run is
        only printed.
    """
    store = metadata_store.opened(connection)
    relocation.update_paths(store, workdir, connection)
    clean_up(store, workdir)
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the error of the run is the one that matters
            clean_up(metadata_store.opened(connection), workdir)
        raise
    try:
        store = metadata_store.opened(connection)
        clean_up(store, workdir)
        if keep.runs:
            prune(store, workdir, keep.runs, keep.days * 86_400, keep.set_aside_days)
    except Exception as error:  # the run has ended well, whatever happens here
        reason = " ".join(str(error).split())
        print(f"tfx-ner: cannot remove old artifacts ({reason})", file=sys.stderr)


def clean_up(store: MetadataStore, workdir: Workdir) -> None:
    """Ends runs that were killed, removes what they left, and sets aside what is unknown."""
    for run in runs.load_runs(store, workdir):
        if run.facts.verdict in ("", "stopped"):
            _end_run(store, run)
    marked = artifacts.Artifact.MARKED_FOR_DELETION
    known = artifacts.known(store, workdir)
    artifacts.delete(store, [artifact for artifact in known if artifact.state == marked])
    for folder in artifacts.half_removed(workdir):
        shutil.rmtree(folder)
    known = artifacts.known(store, workdir)
    unknown = []
    for folder in artifacts.folders_without_artifact(workdir, known):
        if is_left_by_killed_run(store, workdir, known, folder):
            artifacts.remove(folder)
        else:
            unknown.append(folder)
    unknown += _unrecorded_run_folders(store, workdir)
    unknown = [folder for folder in unknown if not _remove_empty(folder)]
    if unknown:
        _set_aside(workdir, unknown)
    versions.clear_partial(workdir.versions)


def prune(
    store: MetadataStore,
    workdir: Workdir,
    keep: int,
    older_than: float = 0,
    set_aside_days: int | None = None,
) -> Removed:
    """Removes what only old runs need. The caller holds the lock of the workdir.

    Args:
      store: ML Metadata.
      workdir: the workdir.
      keep: number of the newest whole runs that keep everything, with the partial runs between them.
      older_than: seconds; younger runs keep everything too.
      set_aside_days: days after which files of unknown origin are removed; None keeps them.
    """
    all_runs = runs.load_runs(store, workdir)
    kept, old = _divide(all_runs, keep, older_than)
    executions = {
        run.name: [execution.id for execution in runs.load_executions(store, run)]
        for run in all_runs
    }
    lineage = _Lineage(store, [id for ids in executions.values() for id in ids])
    versions = {str(version) for version in workdir.versions.all}
    pushed = [
        artifact.id
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed_version"].string_value in versions
    ]
    needed = lineage.touched_by(id for run in kept for id in executions[run.name])
    needed |= lineage.ancestry(pushed)
    for run in old:
        if run.state != "unchanged" and run.facts.version in versions:  # it published a version
            needed.update(artifacts.page_ids(store, run.name))
    candidates = lineage.touched_by(id for run in old for id in executions[run.name]) - needed
    unneeded = [
        artifact
        for artifact in artifacts.known(store, workdir)
        if artifact.id in candidates and artifact.state == artifacts.Artifact.LIVE
    ]
    size = sum(artifacts.size(Path(artifact.uri)) for artifact in unneeded)
    artifacts.delete(store, unneeded)
    aside = _remove_set_aside(workdir, set_aside_days) if set_aside_days is not None else []
    return Removed(
        tuple(artifact.uri for artifact in unneeded),
        size,
        tuple(str(entry.folder) for entry in aside),
    )


def list_set_aside(workdir: Workdir) -> list[SetAside]:
    """Everything that was set aside, oldest first."""
    entries = []
    for folder in sorted(workdir.set_aside.glob("*")):
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            entries.append(SetAside(folder, manifest["time"], tuple(manifest["folders"])))
        except (OSError, ValueError, KeyError, TypeError):
            if folder.is_dir():
                entries.append(SetAside(folder, folder.stat().st_mtime, ()))
    return entries


def is_left_by_killed_run(
    store: MetadataStore, workdir: Workdir, known: list[artifacts.Artifact], folder: Path
) -> bool:
    """Whether ML Metadata proves that a folder was left by a node that did not end, or by a killed pruning.

    Args:
      store: ML Metadata.
      workdir: the workdir.
      known: the artifacts of the workdir, in any state.
      folder: NODE/KEY/EXECUTION below the folder of artifacts.
    """
    if any(artifact.uri == str(folder) for artifact in known):
        return True  # no longer live, or never was
    node, number = folder.parts[-3], folder.name
    executions = store.get_executions_by_id([int(number)]) if number.isdigit() else []
    if not any(execution.last_known_state in _FAILED for execution in executions):
        return False
    runs_of_workdir = {run.name for run in runs.load_runs(store, workdir)}
    runs_of_execution = {
        context.name.removesuffix(".tuning")
        for context in store.get_contexts_by_execution(int(number))
        if context.type == "pipeline_run"
    }
    is_of_node = artifacts.node_of(store, int(number)) == node
    return is_of_node and not runs_of_workdir.isdisjoint(runs_of_execution)


def _unrecorded_run_folders(store: MetadataStore, workdir: Workdir) -> list[Path]:
    """Folders of runs that ML Metadata does not know, with no result in them.

    A run that is killed right after its start leaves one.
    """
    recorded = {run.name for run in runs.load_runs(store, workdir)}
    return [
        folder
        for folder in sorted(workdir.runs.glob("*"))
        if folder.is_dir()
        and folder.name not in recorded
        and {path.name for path in folder.iterdir()} <= {"config.yaml", "events.jsonl"}
    ]


def _remove_empty(folder: Path) -> bool:
    """Removes a folder that holds no files; whether it did."""
    if any(not path.is_dir() for path in folder.rglob("*")):
        return False
    artifacts.remove(folder)
    return True


def _end_run(store: MetadataStore, run: runs.Run) -> None:
    """Records that a run was killed, with the executions that ML Metadata takes to be running."""
    dead = [
        execution
        for execution in runs.load_executions(store, run)
        if execution.last_known_state in UNFINISHED
    ]
    for execution in dead:
        execution.last_known_state = _Execution.FAILED
    if dead:
        store.put_executions(dead)
    if not run.facts.verdict:
        context = store.get_context_by_type_and_name(runs.TYPE, run.name)
        context.custom_properties["verdict"].string_value = runs.KILLED
        store.put_contexts([context])


def _divide(
    all_runs: list[runs.Run], keep: int, older_than: float
) -> tuple[list[runs.Run], list[runs.Run]]:
    """The runs that keep everything, and the old ones."""
    whole = [index for index, run in enumerate(all_runs) if not run.facts.until]
    if not keep:
        first = len(all_runs)
    else:
        first = whole[-keep] if keep < len(whole) else 0
    newest_start = time.time() - older_than if older_than else float("inf")
    kept, old = [], []
    for index, run in enumerate(all_runs):
        (kept if index >= first or run.facts.started > newest_start else old).append(run)
    return kept, old


class _Lineage:
    """Which artifacts went into, and came out of, some executions, all by id."""

    def __init__(self, store: MetadataStore, executions: list[int]):
        self._touched, self._inputs, self._outputs = (defaultdict(set) for _ in range(3))
        self._makers = defaultdict(
            set
        )  # executions by artifact; the others are artifacts by execution
        for event in store.get_events_by_execution_ids(executions) if executions else ():
            self._touched[event.execution_id].add(event.artifact_id)
            key = event.path.steps[0].key if event.path.steps else ""
            if event.type in artifacts.OUTPUTS:
                self._outputs[event.execution_id].add(event.artifact_id)
                self._makers[event.artifact_id].add(event.execution_id)
            elif event.type in artifacts.INPUTS and key not in _COMPARED:  # not those of resolvers
                self._inputs[event.execution_id].add(event.artifact_id)

    def touched_by(self, executions: Iterable[int]) -> set[int]:
        """The artifacts that went into these executions or came out of them."""
        return set().union(*(self._touched[execution] for execution in executions))

    def ancestry(self, artifacts: Iterable[int]) -> set[int]:
        """These artifacts, all from which they were made, and the other outputs of the same executions."""
        ancestors: set[int] = set()
        waiting = list(artifacts)
        while waiting:
            artifact = waiting.pop()
            if artifact not in ancestors:
                ancestors.add(artifact)
                for maker in self._makers[artifact]:
                    waiting.extend(self._outputs[maker] | self._inputs[maker])
        return ancestors


def _set_aside(workdir: Workdir, folders: list[Path]) -> None:
    """Moves folders into a new folder below `WORKDIR/set-aside`, with a manifest, and prints one line."""
    target = workdir.set_aside / f"{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"
    target.mkdir(parents=True)
    sources = tuple(str(folder.relative_to(workdir.root)) for folder in folders)
    manifest = {"time": time.time(), "reason": _REASON, "folders": sources}
    atomic_io.write_text(target / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    for folder, source in zip(folders, sources):
        (target / source).parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target / source)
    print(
        f"tfx-ner: {len(folders):,} folders of unknown origin were set aside in {target}"
        " (`tfx-ner runs prune` removes them later)",
        file=sys.stderr,
    )


def _remove_set_aside(workdir: Workdir, days: int) -> list[SetAside]:
    """Removes what was set aside more than `days` days ago, and returns it."""
    oldest = time.time() - days * 86_400
    removed = [entry for entry in list_set_aside(workdir) if entry.time < oldest]
    for entry in removed:
        shutil.rmtree(entry.folder)
    return removed
