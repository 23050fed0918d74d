"""The published versions: the state of each, and the run that published it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.export import card
from components.publishing import changes, hold, versions
from pipeline.history import runs
from pipeline.workdir import Workdir


@dataclass(frozen=True)
class Model:
    """A published version."""

    version: int  # its number
    # serving, fallback (the next to serve), canary, live, withdrawn, or held (published during a
    # hold)
    state: str
    path: str  # its folder
    published: float | None  # when, in seconds since 1970; None if ML Metadata has no record of it
    run: runs.Run | None  # the run that published it; None if ML Metadata has no record of it
    types: tuple[str, ...]  # its entity types
    signatures: int | None  # the version of its interface; None without a readable model card

    def as_dict(self) -> dict[str, Any]:
        """Everything of it, for JSON."""
        return {**asdict(self), "run": self.run.as_dict() if self.run else None}


def load_models(store: MetadataStore, workdir: Workdir) -> list[Model]:
    """Every version that is there, live or withdrawn, lowest first."""
    runs_by_name = {run.name: run for run in runs.load_runs(store, workdir)}
    # Of several artifacts of one version, the oldest is the one that published it: it is taken last.
    pushed = {
        artifact.custom_properties["pushed_version"].string_value: artifact
        for artifact in sorted(
            store.get_artifacts_by_type("PushedModel"), key=lambda artifact: -artifact.id
        )
    }
    states = _states(workdir.versions)
    return [
        _load_model(
            store, workdir, version, states[version], pushed.get(str(version)), runs_by_name
        )
        for version in workdir.versions.all
    ]


def _load_model(
    store: MetadataStore,
    workdir: Workdir,
    version: int,
    state: str,
    artifact: metadata_store_pb2.Artifact | None,
    runs_by_name: Mapping[str, runs.Run],
) -> Model:
    path = workdir.versions.place(version)
    model_card = card.read(path)
    return Model(
        version,
        state,
        str(path),
        artifact.create_time_since_epoch / 1000 if artifact else None,
        runs_by_name.get(_run_of(store, artifact)) if artifact else None,
        model_card.types if model_card else (),
        model_card.interface if model_card else None,
    )


def _run_of(store: MetadataStore, artifact: metadata_store_pb2.Artifact) -> str:
    """The name of the run that made an artifact; "" if there is no record of it."""
    names = {
        context.id: context.name
        for context in store.get_contexts_by_artifact(artifact.id)
        if context.type == "pipeline_run"
    }
    return names[min(names)] if names else ""


def _states(folders: versions.Folders) -> dict[int, str]:
    """The state of each version."""
    held = hold.load(folders.withdrawn)
    states = dict.fromkeys(versions.versions(folders.withdrawn), "withdrawn")
    if held:
        states |= {version: "held" for version in states if version > held.left}
    states |= dict.fromkeys(versions.versions(folders.live), "live")
    for version, state in (
        (changes.fallback(folders), "fallback"),
        (versions.serving(folders), "serving"),
        (versions.canary(folders), "canary"),
    ):
        if version is not None:
            states[version] = state
    return states
