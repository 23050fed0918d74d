"""The page of a run as an artifact in ML Metadata, made from the figures that the run's Report node put out.

It is written after the run, for only then the verdict and the times are known; so no node of TFX's can put it out.
"""

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2

TYPE = "ReportPage"  # of the artifact; its URI is the folder that has the page and `report.json`
_MADE = "tfx_ner_page"  # type of the execution
_KEY = "page"
_Event = metadata_store_pb2.Event


def keep(store, run: str, report: int, folder: Path) -> None:
    """Remembers a page.

    Args:
      store: ML Metadata.
      run: the name of the run.
      report: id of its Report node's execution.
      folder: where the page is.
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
    made = [(one, _event(_Event.INPUT, "figures")) for one in store.get_artifacts_by_id(figures)]
    store.put_execution(execution, [*made, (page, _event(_Event.OUTPUT, _KEY))], [context])


def of(store, run: str) -> list[int]:
    """The ids of the page that a run has, or of none."""
    page = store.get_artifact_by_type_and_name(TYPE, f"{_KEY}:{run}")
    return [page.id] if page else []


def _event(kind: int, key: str) -> metadata_store_pb2.Event:
    event = metadata_store_pb2.Event(type=kind)
    event.path.steps.add().key = key
    return event
