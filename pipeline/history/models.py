"""The published versions: the state of each, and the run that published it."""

from dataclasses import asdict, dataclass
from typing import Any

from ml_metadata import MetadataStore

from components.export import card
from components.publishing import changes, versions
from pipeline.history import artifacts, runs
from pipeline.workdir import Workdir


@dataclass(frozen=True)
class Model:
    """A published version."""

    version: int  # its number
    # serving, fallback (the next to serve), canary, live, withdrawn, or held (published during a hold)
    state: str
    path: str  # its folder
    published: float | None  # when, in seconds since 1970; None if ML Metadata has no record of it
    run: runs.Run | None  # the run that published it; None if ML Metadata has no record of it
    types: tuple[str, ...]  # its entity types
    signatures: int | None  # the version of its interface; None without a readable model card

    def as_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return {**asdict(self), "run": self.run.as_dict() if self.run else None}


def load_models(store: MetadataStore, workdir: Workdir) -> list[Model]:
    """Every version that is there, live or withdrawn, lowest first."""
    runs_by_name = {run.name: run for run in runs.load_runs(store, workdir)}
    pushed, states = artifacts.published_versions(store), _states(workdir.versions)
    models = []
    for version in workdir.versions.all:
        path, artifact = workdir.versions.place(version), pushed.get(str(version))
        model_card = card.load_card(path)
        models.append(
            Model(
                version,
                states[version],
                str(path),
                artifact.create_time_since_epoch / 1000 if artifact else None,
                runs_by_name.get(_run_of(store, artifact)) if artifact else None,
                model_card.types if model_card else (),
                model_card.interface if model_card else None,
            )
        )
    return models


def _run_of(store: MetadataStore, artifact: artifacts.Artifact) -> str:
    """The name of the run that made an artifact; "" if there is no record of it."""
    contexts = store.get_contexts_by_artifact(artifact.id)
    names = {context.id: context.name for context in contexts if context.type == "pipeline_run"}
    return names[min(names)] if names else ""


def _states(folders: versions.Folders) -> dict[int, str]:
    """The state of each version."""
    held = changes.load_hold(folders.withdrawn)
    states = dict.fromkeys(versions.versions(folders.withdrawn), "withdrawn")
    if held:
        states |= {version: "held" for version in states if version > held.left}
    states |= dict.fromkeys(versions.versions(folders.live), "live")
    special = {
        "fallback": changes.fallback(folders),
        "serving": versions.serving(folders),
        "canary": versions.canary(folders),
    }
    return states | {version: state for state, version in special.items() if version is not None}
