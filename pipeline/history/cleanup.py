"""Cleaning a workdir before and after a run: removes what a killed run left, and sets aside what is unknown.

The caller of these functions holds the lock of the workdir.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.publishing import versions
from components.settings import Keep
from pipeline import metadata_store
from pipeline.history import artifacts, prune, relocation, runs, set_aside
from pipeline.history.record import TYPE
from pipeline.workdir import Workdir

_Execution = metadata_store_pb2.Execution
UNFINISHED = (_Execution.NEW, _Execution.RUNNING)
_FAILED = (*UNFINISHED, _Execution.FAILED, _Execution.CANCELED)


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
            prune.prune(store, workdir, keep.runs, keep.days * 86_400, keep.set_aside_days)
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
        set_aside.move(workdir, unknown)
    versions.clear_partial(workdir.versions)


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
        context = store.get_context_by_type_and_name(TYPE, run.name)
        context.custom_properties["verdict"].string_value = runs.KILLED
        store.put_contexts([context])
