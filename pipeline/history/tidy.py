"""What a run that was killed has left, cleared before the next one begins; whoever calls this holds the work folder."""

import shutil

from ml_metadata.proto import metadata_store_pb2

from components.publishing import versions
from pipeline.history import artifacts, runs
from pipeline.history.facts import TYPE
from pipeline.workdir import Workdir

_Execution = metadata_store_pb2.Execution
UNFINISHED = (_Execution.NEW, _Execution.RUNNING)


def tidy(store, workdir: Workdir) -> None:
    """Ends what was killed in ML Metadata, too, and removes what it left half-made."""
    for run in runs.runs(store, workdir):
        if run.facts.verdict in ("", "stopped"):
            _end(store, run)
    known = artifacts.known(store, workdir)
    artifacts.delete(
        store, [one for one in known if one.state == artifacts.Artifact.MARKED_FOR_DELETION]
    )
    for folder in artifacts.half_removed(workdir):
        shutil.rmtree(folder)
    live = {one.uri for one in known if one.state == artifacts.Artifact.LIVE}
    for folder in artifacts.folders(workdir):
        if str(folder) not in live:
            artifacts.remove(folder)
    remembered = {run.name for run in runs.runs(store, workdir)}
    for folder in workdir.runs.iterdir() if workdir.runs.is_dir() else ():
        if folder.name not in remembered and {path.name for path in folder.iterdir()} <= {
            "config.yaml"
        }:
            shutil.rmtree(folder)  # killed before anything of it was written down
    versions.clear_partial(workdir.versions)


def executions(store, run: runs.Run) -> list[_Execution]:
    """Those of a run, and of the search for settings before it."""
    contexts = (
        store.get_context_by_type_and_name("pipeline_run", f"{run.name}{more}")
        for more in ("", ".tuning")
    )
    return [
        one
        for context in contexts
        if context
        for one in store.get_executions_by_context(context.id)
    ]


def _end(store, run: runs.Run) -> None:
    dead = [one for one in executions(store, run) if one.last_known_state in UNFINISHED]
    for execution in dead:
        execution.last_known_state = _Execution.FAILED
    if dead:
        store.put_executions(dead)
    if not run.facts.verdict:
        context = store.get_context_by_type_and_name(TYPE, run.name)
        context.custom_properties["verdict"].string_value = runs.KILLED
        store.put_contexts([context])
