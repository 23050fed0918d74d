"""The page of a report as an artifact in ML Metadata, made from the output of the run's Report node.

It is written after the run, when the verdict and the times are known; so it cannot be the output of a node.
"""

from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

TYPE = "ReportPage"  # of the artifact; its URI is the folder that has the page and `report.json`
_MADE = "tfx_ner_page"  # type of the execution
_KEY = "page"
_Event = metadata_store_pb2.Event


def keep(store: MetadataStore, run: str, report: int, folder: Path) -> None:
    """Records a page as an artifact.

    Args:
      store: ML Metadata.
      run: the name of the run.
      report: the id of the execution of its Report node.
      folder: the folder of the page.
    """
    context = store.get_context_by_type_and_name("pipeline_run", run)
    page = metadata_store_pb2.Artifact(
        type_id=store.put_artifact_type(metadata_store_pb2.ArtifactType(name=TYPE)),
        name=f"{_KEY}:{run}",
        uri=str(folder),
        state=metadata_store_pb2.Artifact.LIVE,
    )
    execution = metadata_store_pb2.Execution(
        type_id=store.put_execution_type(metadata_store_pb2.ExecutionType(name=_MADE)),
        last_known_state=metadata_store_pb2.Execution.COMPLETE,
    )
    figures = [
        event.artifact_id
        for event in store.get_events_by_execution_ids([report])
        if event.type in (_Event.OUTPUT, _Event.DECLARED_OUTPUT)
    ]
    inputs = [
        (artifact, _event(_Event.INPUT, "figures"))
        for artifact in store.get_artifacts_by_id(figures)
    ]
    store.put_execution(execution, [*inputs, (page, _event(_Event.OUTPUT, _KEY))], [context])


def of(store: MetadataStore, run: str) -> list[int]:
    """The id of the page of a run; empty if it has no page."""
    page = store.get_artifact_by_type_and_name(TYPE, f"{_KEY}:{run}")
    return [page.id] if page else []


def _event(kind: int, key: str) -> metadata_store_pb2.Event:
    event = metadata_store_pb2.Event(type=kind)
    event.path.steps.add().key = key
    return event
