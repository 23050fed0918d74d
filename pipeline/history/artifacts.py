"""Artifacts in ML Metadata and their folders, which are changed together; and the pages of reports as artifacts.

A folder is renamed before its files are removed, so that no cache takes half of it for a result.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from pipeline.workdir import Workdir

Artifact, Event = metadata_store_pb2.Artifact, metadata_store_pb2.Event
INPUTS = (Event.INPUT, Event.DECLARED_INPUT)
OUTPUTS = (Event.OUTPUT, Event.DECLARED_OUTPUT)
PAGE_TYPE = "ReportPage"  # of the artifact; its URI is the folder of the page and `report.json`
_PAGE_EXECUTION, _PAGE = "tfx_ner_page", "page"
_REMOVED = ".removed-"


def known(store: MetadataStore, workdir: Workdir) -> list[Artifact]:
    """The artifacts of the workdir in ML Metadata, in any state; the pages of reports are among them."""
    roots = (f"{workdir.artifacts}/", f"{workdir.reports}/")
    return [artifact for artifact in store.get_artifacts() if artifact.uri.startswith(roots)]


def artifact_ids(
    store: MetadataStore, executions: Sequence[int], kinds: Collection[int], key: str = ""
) -> list[int]:
    """The ids of the artifacts of executions.

    Args:
      store: ML Metadata.
      executions: the ids of the executions.
      kinds: `INPUTS` or `OUTPUTS`.
      key: the key of the input or output; "" for all.
    """
    return [
        event.artifact_id
        for event in store.get_events_by_execution_ids(executions)
        if event.type in kinds and (not key or event.path.steps[0].key == key)
    ]


def node_of(store: MetadataStore, execution: int) -> str:
    """The id of the node that an execution is of, "" if there is no record of it."""
    contexts = store.get_contexts_by_execution(execution)
    names = (context.name for context in contexts if context.type == "node")
    return next(names, "").rpartition(".")[2]


def published_versions(store: MetadataStore) -> dict[str, Artifact]:
    """The PushedModel artifact of each published version; of several, the oldest, which published it."""
    pushed = store.get_artifacts_by_type("PushedModel")
    newest_first = sorted(pushed, key=lambda artifact: -artifact.id)
    return {
        artifact.custom_properties["pushed_version"].string_value: artifact
        for artifact in newest_first
    }


def folders_without_artifact(workdir: Workdir, known: Iterable[Artifact]) -> list[Path]:
    """The folders of outputs, NODE/KEY/EXECUTION, that are of no live artifact among `known`.

    >>> folders_without_artifact(Workdir(Path("/nowhere"), "ner"), [])
    []
    """
    live = {artifact.uri for artifact in known if artifact.state == Artifact.LIVE}
    folders = sorted(workdir.artifacts.glob("[!.]*/[!.]*/[!.]*"))
    return [folder for folder in folders if folder.is_dir() and str(folder) not in live]


def delete(store: MetadataStore, artifacts: Iterable[Artifact]) -> None:
    """Removes artifacts with their folders. If it is killed, a second call completes it."""
    artifacts = list(artifacts)
    _mark(store, artifacts, Artifact.MARKED_FOR_DELETION)
    for artifact in artifacts:
        remove(Path(artifact.uri))
    _mark(store, artifacts, Artifact.DELETED)


def remove(folder: Path) -> None:
    """Removes a folder; no other program sees half of it."""
    if folder.is_dir():
        shutil.rmtree(folder.rename(folder.with_name(f"{_REMOVED}{folder.name}")))


def half_removed(workdir: Workdir) -> Iterator[Path]:
    """Folders whose removal was killed."""
    yield from workdir.artifacts.glob(f"*/*/{_REMOVED}*")
    yield from workdir.reports.glob(f"{_REMOVED}*")


def size(folder: Path) -> int:
    """The size of the files in a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def record_page(store: MetadataStore, run: str, report: int, folder: Path) -> None:
    """Records the page of a report as an artifact, made from the output of the run's Report node.

    The page is written after the run, when the verdict and the times are known, so it cannot be an
    output of the node itself.

    Args:
      store: ML Metadata.
      run: the name of the run.
      report: the id of the execution of its Report node.
      folder: the folder of the page.
    """
    context = store.get_context_by_type_and_name("pipeline_run", run)
    page = Artifact(
        type_id=store.put_artifact_type(metadata_store_pb2.ArtifactType(name=PAGE_TYPE)),
        name=f"{_PAGE}:{run}",
        uri=str(folder),
        state=Artifact.LIVE,
    )
    execution = metadata_store_pb2.Execution(
        type_id=store.put_execution_type(metadata_store_pb2.ExecutionType(name=_PAGE_EXECUTION)),
        last_known_state=metadata_store_pb2.Execution.COMPLETE,
    )
    figures = store.get_artifacts_by_id(artifact_ids(store, [report], OUTPUTS))
    inputs = [(artifact, _event(Event.INPUT, "figures")) for artifact in figures]
    store.put_execution(execution, [*inputs, (page, _event(Event.OUTPUT, _PAGE))], [context])


def page_ids(store: MetadataStore, run: str) -> list[int]:
    """The id of the page of a run; empty if it has no page."""
    page = store.get_artifact_by_type_and_name(PAGE_TYPE, f"{_PAGE}:{run}")
    return [page.id] if page else []


def _event(kind: int, key: str) -> Event:
    event = Event(type=kind)
    event.path.steps.add().key = key
    return event


def _mark(store: MetadataStore, artifacts: list[Artifact], state: int) -> None:
    for artifact in artifacts:
        artifact.state = state
    if artifacts:
        store.put_artifacts(artifacts)
