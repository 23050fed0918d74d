"""The folders of artifacts, and the states of artifacts in ML Metadata, which are changed together.

A folder is renamed before its files are removed, so that no cache takes half of it for a result.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from pipeline.workdir import Workdir

Artifact = metadata_store_pb2.Artifact
_REMOVED = ".removed-"


def known(store: MetadataStore, workdir: Workdir) -> list[Artifact]:
    """The artifacts of the workdir in ML Metadata, in any state; the pages of reports are among them."""
    roots = (f"{workdir.artifacts}/", f"{workdir.reports}/")
    return [artifact for artifact in store.get_artifacts() if artifact.uri.startswith(roots)]


def folders(workdir: Workdir) -> Iterator[Path]:
    """Every folder where an artifact of a node could be: NODE/KEY/EXECUTION."""
    return (path for path in workdir.artifacts.glob("[!.]*/[!.]*/[!.]*") if path.is_dir())


def folders_without_artifact(workdir: Workdir, known: Iterable[Artifact]) -> list[Path]:
    """The folders in which no live artifact is, of those that `known` has.

    >>> folders_without_artifact(Workdir(Path("/nowhere"), "ner"), [])
    []
    """
    live = {artifact.uri for artifact in known if artifact.state == Artifact.LIVE}
    return [folder for folder in sorted(folders(workdir)) if str(folder) not in live]


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


def _mark(store: MetadataStore, artifacts: list[Artifact], state: int) -> None:
    for artifact in artifacts:
        artifact.state = state
    if artifacts:
        store.put_artifacts(artifacts)
