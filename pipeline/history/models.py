"""The published versions: what each is now, and where it came from."""

from dataclasses import asdict, dataclass
from typing import Any, Optional

from components.export import card
from components.publishing import changes, hold, versions
from pipeline.history import runs
from pipeline.workdir import Workdir


@dataclass(frozen=True)
class Model:
    """A version: `state` is serving, fallback (would serve next), canary, live, withdrawn or held (published during a hold).

    `published` is in seconds since 1970; `run` is the one that published it; both None where ML Metadata does not know it.
    """

    version: int
    state: str
    path: str
    published: Optional[float]
    run: Optional[runs.Run]
    types: tuple[str, ...]
    signatures: Optional[int]

    def as_dict(self) -> dict[str, Any]:
        """Everything of it, for JSON."""
        return {**asdict(self), "run": self.run.as_dict() if self.run else None}


def models(store, workdir: Workdir) -> list[Model]:
    """Every version that is there, live or withdrawn, lowest first."""
    by_name = {run.name: run for run in runs.runs(store, workdir)}
    pushed = {
        one.custom_properties["pushed_version"].string_value: one for one in _oldest_last(store)
    }
    states = _states(workdir.versions)
    found = []
    for version in workdir.versions.all:
        artifact = pushed.get(str(version))
        place = workdir.versions.place(version)
        described = card.read(place)
        found.append(
            Model(
                version,
                states[version],
                str(place),
                artifact.create_time_since_epoch / 1000 if artifact else None,
                by_name.get(_run_of(store, artifact)) if artifact else None,
                described.types if described else (),
                described.interface if described else None,
            )
        )
    return found


def _oldest_last(store) -> list:
    """Of several artifacts of one version, the one that published it is the oldest."""
    return sorted(store.get_artifacts_by_type("PushedModel"), key=lambda one: -one.id)


def _run_of(store, artifact) -> str:
    contexts = (
        one for one in store.get_contexts_by_artifact(artifact.id) if one.type == "pipeline_run"
    )
    first = min(contexts, key=lambda one: one.id, default=None)
    return first.name if first else ""


def _states(folders: versions.Folders) -> dict[int, str]:
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
