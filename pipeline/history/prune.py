"""Pruning: removes the artifacts of old runs, with their reports, from the disk and from ML Metadata.

It keeps the inputs and outputs of the nodes of the runs that are kept (the outputs of a cached node are
those of an older run), everything from which a published or withdrawn version was made, and the report
of the run that made it.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ml_metadata import MetadataStore

from pipeline.history import artifacts, runs, set_aside
from pipeline.history.artifacts import Event
from pipeline.workdir import Workdir

# Events of resolvers, which find artifacts but make nothing of them.
_INTERNAL = (Event.INTERNAL_INPUT, Event.INTERNAL_OUTPUT)
# Inputs that a node only compares with; its outputs are not made from them.
_COMPARED = ("baseline", "baseline_model")


@dataclass(frozen=True)
class Removed:
    """What was removed."""

    artifacts: tuple[str, ...]  # the folders of the artifacts
    bytes: int  # their size
    set_aside: tuple[str, ...] = ()  # folders below `WORKDIR/set-aside` that were old enough

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
    aside = set_aside.remove_older(workdir, set_aside_days) if set_aside_days is not None else []
    return Removed(
        tuple(artifact.uri for artifact in unneeded),
        size,
        tuple(str(entry.folder) for entry in aside),
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


class _Lineage:
    """Which artifacts went into, and came out of, some executions, all by id."""

    def __init__(self, store: MetadataStore, executions: list[int]):
        self._inputs, self._compared = defaultdict(set), defaultdict(set)  # by execution
        self._outputs, self._makers = (
            defaultdict(set),
            defaultdict(set),
        )  # by execution, by artifact
        for event in store.get_events_by_execution_ids(executions) if executions else ():
            if event.type in artifacts.OUTPUTS:
                self._outputs[event.execution_id].add(event.artifact_id)
                self._makers[event.artifact_id].add(event.execution_id)
                continue
            key = event.path.steps[0].key if event.path.steps else ""
            only_compared = key in _COMPARED or event.type in _INTERNAL
            kind = self._compared if only_compared else self._inputs
            kind[event.execution_id].add(event.artifact_id)

    def touched_by(self, executions: Iterable[int]) -> set[int]:
        """The artifacts that went into these executions or came out of them."""
        touched: set[int] = set()
        for execution in executions:
            touched |= self._inputs[execution] | self._outputs[execution]
            touched |= self._compared[execution]
        return touched

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
