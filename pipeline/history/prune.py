"""Removes the artifacts of old runs, their reports among them: the folders, and ML Metadata in step.

What is needed stays: all that went into or came out of the nodes of the runs that are kept (a cached node's outputs are those of
an older run), and the whole ancestry of every version that is published or withdrawn, with the report of the run that made it.
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
_INTERNAL = (
    _Event.INTERNAL_INPUT,
    _Event.INTERNAL_OUTPUT,
)  # a resolver's: it makes nothing of what it finds
_COMPARED = (
    "baseline",
    "baseline_model",
)  # inputs that a node only compares with; its outputs are not made from them


@dataclass(frozen=True)
class Removed:
    """What was removed.

    Attributes:
      artifacts: the folders of the artifacts.
      bytes: their size.
      set_aside: folders below `WORKDIR/set-aside` that were old enough to be removed.
    """

    artifacts: tuple[str, ...]
    bytes: int
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
    found = runs.load_runs(store, workdir)
    youngest = time.time() - older_than if older_than else float("inf")
    whole = [place for place, run in enumerate(found) if not run.facts.until]
    first = (0 if keep >= len(whole) else whole[-keep]) if keep else len(found)
    kept = [
        run for place, run in enumerate(found) if place >= first or run.facts.started > youngest
    ]
    old = [run for run in found if run not in kept]
    events = _Events(store, [one.id for run in found for one in runs.load_executions(store, run)])
    needed = events.touched(one.id for run in kept for one in runs.load_executions(store, run))
    needed |= events.ancestry(_published(store, workdir))
    needed |= {
        page for run in old if _made_a_version(run, workdir) for page in pages.of(store, run.name)
    }
    candidates = (
        events.touched(one.id for run in old for one in runs.load_executions(store, run)) - needed
    )
    gone = [
        one
        for one in artifacts.known(store, workdir)
        if one.id in candidates and one.state == artifacts.Artifact.LIVE
    ]
    size = sum(artifacts.size(Path(one.uri)) for one in gone)
    artifacts.delete(store, gone)
    old_files = (
        set_aside.remove_older(workdir, set_aside_days) if set_aside_days is not None else []
    )
    return Removed(
        tuple(one.uri for one in gone), size, tuple(str(entry.folder) for entry in old_files)
    )


def _made_a_version(run: runs.Run, workdir: Workdir) -> bool:
    """Whether a version is there that the run made, and not only found to be there."""
    return run.state != "unchanged" and run.facts.version in {
        str(version) for version in workdir.versions.all
    }


def _published(store, workdir: Workdir) -> set[int]:
    """The artifacts of the versions that are there."""
    there = {str(version) for version in workdir.versions.all}
    return {
        one.id
        for one in store.get_artifacts_by_type("PushedModel")
        if one.custom_properties["pushed_version"].string_value in there
    }


class _Events:
    """Which artifacts went into, and came out of, executions."""

    def __init__(self, store, executions: list[int]):
        self._in: dict[int, set[int]] = {}
        self._out: dict[int, set[int]] = {}
        self._compared: dict[int, set[int]] = {}
        self._makers: dict[int, set[int]] = {}
        for event in store.get_events_by_execution_ids(executions) if executions else ():
            if event.type in _OUTPUTS:
                self._out.setdefault(event.execution_id, set()).add(event.artifact_id)
                self._makers.setdefault(event.artifact_id, set()).add(event.execution_id)
            else:
                key = event.path.steps[0].key if event.path.steps else ""
                compared = key in _COMPARED or event.type in _INTERNAL
                kind = self._compared if compared else self._in
                kind.setdefault(event.execution_id, set()).add(event.artifact_id)

    def touched(self, executions: Iterable[int]) -> set[int]:
        """What went into these executions or came out of them."""
        return {
            artifact
            for execution in executions
            for kind in (self._in, self._out, self._compared)
            for artifact in kind.get(execution, ())
        }

    def ancestry(self, of: set[int]) -> set[int]:
        """These artifacts, those that came out beside them, and all from which they were made."""
        found: set[int] = set()
        waiting = list(of)
        while waiting:
            artifact = waiting.pop()
            if artifact not in found:
                found.add(artifact)
                for maker in self._makers.get(artifact, ()):
                    waiting.extend(self._out[maker] | self._in.get(maker, set()))
        return found
