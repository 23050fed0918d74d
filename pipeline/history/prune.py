"""Pruning: removes the artifacts of old runs, with their reports, from the disk and from ML Metadata.

Kept are the inputs and outputs of the nodes of the runs that are kept (a cached node's outputs are those of
an older run), and everything from which a published or withdrawn version was made, with the report of the
run that made it.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from pipeline.history import artifacts, pages, runs, set_aside
from pipeline.workdir import Workdir

_Event = metadata_store_pb2.Event
_OUTPUTS = (_Event.OUTPUT, _Event.DECLARED_OUTPUT)
# Events of resolvers, which find artifacts but make nothing of them.
_INTERNAL = (_Event.INTERNAL_INPUT, _Event.INTERNAL_OUTPUT)
# Inputs that a node only compares with; its outputs are not made from them.
_COMPARED = ("baseline", "baseline_model")


@dataclass(frozen=True)
class Removed:
    """What was removed."""

    artifacts: tuple[str, ...]  # the folders of the artifacts
    bytes: int  # their size
    # folders below `WORKDIR/set-aside` that were old enough to be removed
    set_aside: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self)


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
    needed = lineage.touched_by(id for run in kept for id in executions[run.name])
    needed |= lineage.ancestry(_pushed_models(store, workdir))
    needed |= {
        page
        for run in old
        if _published_a_version(run, workdir)
        for page in pages.of(store, run.name)
    }
    candidates = lineage.touched_by(id for run in old for id in executions[run.name]) - needed
    unneeded = [
        artifact
        for artifact in artifacts.known(store, workdir)
        if artifact.id in candidates and artifact.state == artifacts.Artifact.LIVE
    ]
    size = sum(artifacts.size(Path(artifact.uri)) for artifact in unneeded)
    artifacts.delete(store, unneeded)
    old_files = (
        set_aside.remove_older(workdir, set_aside_days) if set_aside_days is not None else []
    )
    return Removed(
        tuple(artifact.uri for artifact in unneeded),
        size,
        tuple(str(entry.folder) for entry in old_files),
    )


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


def _published_a_version(run: runs.Run, workdir: Workdir) -> bool:
    """Whether the run itself published a version that is still there."""
    versions = {str(version) for version in workdir.versions.all}
    return run.state != "unchanged" and run.facts.version in versions


def _pushed_models(store: MetadataStore, workdir: Workdir) -> set[int]:
    """The ids of the PushedModel artifacts of the versions that are there."""
    versions = {str(version) for version in workdir.versions.all}
    return {
        artifact.id
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed_version"].string_value in versions
    }


class _Lineage:
    """Which artifacts went into, and came out of, some executions, all by id."""

    def __init__(self, store: MetadataStore, executions: list[int]):
        self._inputs: dict[int, set[int]] = {}
        self._outputs: dict[int, set[int]] = {}
        self._compared: dict[int, set[int]] = {}
        self._makers: dict[int, set[int]] = {}
        for event in store.get_events_by_execution_ids(executions) if executions else ():
            if event.type in _OUTPUTS:
                self._outputs.setdefault(event.execution_id, set()).add(event.artifact_id)
                self._makers.setdefault(event.artifact_id, set()).add(event.execution_id)
            else:
                key = event.path.steps[0].key if event.path.steps else ""
                only_compared = key in _COMPARED or event.type in _INTERNAL
                kind = self._compared if only_compared else self._inputs
                kind.setdefault(event.execution_id, set()).add(event.artifact_id)

    def touched_by(self, executions: Iterable[int]) -> set[int]:
        """The artifacts that went into these executions or came out of them."""
        return {
            artifact
            for execution in executions
            for kind in (self._inputs, self._outputs, self._compared)
            for artifact in kind.get(execution, ())
        }

    def ancestry(self, artifacts: Iterable[int]) -> set[int]:
        """These artifacts, all from which they were made, and the other outputs of the same executions."""
        ancestors: set[int] = set()
        waiting = list(artifacts)
        while waiting:
            artifact = waiting.pop()
            if artifact not in ancestors:
                ancestors.add(artifact)
                for maker in self._makers.get(artifact, ()):
                    waiting.extend(self._outputs[maker] | self._inputs.get(maker, set()))
        return ancestors
