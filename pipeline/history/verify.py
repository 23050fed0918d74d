"""Whether ML Metadata, the artifacts' folders, the runs' and the published versions agree."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from components.publishing import hold, labels, versions
from pipeline.history import artifacts, pages, runs, tidy
from pipeline.workdir import Workdir

# What is in an artifact that was written to its end, by its type; "*" stands for each of its splits.
_PARTS = {
    "Examples": ("Split-*/*",),
    "ExampleStatistics": ("Split-*/FeatureStats.pb",),
    "ExampleAnomalies": ("Split-*/SchemaDiff.pb",),
    "Schema": ("schema.pbtxt",),
    "TransformGraph": ("transform_fn/saved_model.pb", "transformed_metadata/*"),
    "Model": ("Format-Serving/saved_model.pb", "Format-Serving/variables/variables.index"),
    "ModelEvaluation": ("metrics*",),
    "ModelBlessing": ("*BLESSED",),
    pages.TYPE: ("index.html", "report.json"),
}
_NEXT_RUN = "The next run clears it away"
_GONE = "The next run makes it again if it needs it; `tfx-ner runs prune` forgets it if no run does"
_PAGE_GONE = "Its figures are still there; `tfx-ner runs prune` forgets it when its run is old"


@dataclass(frozen=True)
class Fault:
    """Something that does not agree, and what to do about it."""

    what: str
    advice: str


@dataclass(frozen=True)
class Report:
    """How much was looked at, and what was amiss."""

    artifacts: int
    runs: int
    versions: int
    faults: tuple[Fault, ...]

    def as_dict(self) -> dict:
        return asdict(self)


def verify(store, workdir: Workdir) -> Report:
    """Looks at everything in the work folder. Raises UserError while a run is at work, for then nothing has to agree."""
    holder = workdir.holder
    with workdir.locked():
        known, found = artifacts.known(store, workdir), runs.runs(store, workdir)
        faults = (
            *_lock(workdir, holder),
            *_artifacts(workdir, known),
            *_runs(store, workdir, found),
            *_versions(store, workdir.versions),
            *_labels_and_hold(workdir.versions),
        )
        return Report(len(known), len(found), len(workdir.versions.all), faults)


def _lock(workdir: Workdir, holder: int) -> Iterator[Fault]:
    if holder:
        yield Fault(
            f"{workdir.root}/.lock.holder: process {holder} was killed while it held the work folder",
            _NEXT_RUN,
        )


def _artifacts(workdir: Workdir, known: list[artifacts.Artifact]) -> Iterator[Fault]:
    live = {one.uri: one for one in known if one.state == artifacts.Artifact.LIVE}
    for uri, artifact in live.items():
        if not Path(uri).is_dir():
            advice = _GONE if artifact.type != pages.TYPE else _PAGE_GONE
            yield Fault(f"{uri}: the folder of {artifact.type} {artifact.id} is gone", advice)
            continue
        missing = [part for part in _PARTS.get(artifact.type, ()) if not any(Path(uri).glob(part))]
        if missing:
            advice = "Remove the folder, and the next run makes it again"
            yield Fault(
                f"{uri}: {artifact.type} {artifact.id} is not whole, it has no {', no '.join(missing)}",
                advice,
            )
    for artifact in known:
        if artifact.state == artifacts.Artifact.MARKED_FOR_DELETION:
            yield Fault(f"{artifact.uri}: was being pruned when that was killed", _NEXT_RUN)
    for folder in artifacts.half_removed(workdir):
        yield Fault(f"{folder}: was being removed when that was killed", _NEXT_RUN)
    for folder in artifacts.folders(workdir):
        if str(folder) not in live:
            yield Fault(f"{folder}: no artifact in ML Metadata is there", _NEXT_RUN)


def _runs(store, workdir: Workdir, found: list[runs.Run]) -> Iterator[Fault]:
    folders = (
        {path.name for path in workdir.runs.iterdir() if path.is_dir()}
        if workdir.runs.is_dir()
        else set()
    )
    for run in found:
        folder = workdir.runs / run.name
        if run.name not in folders:
            yield Fault(
                f"{folder}: the folder of a run is gone",
                "Its configuration and log are lost, its history is not",
            )
        elif run.facts.overall and not (folder / "outcome.json").is_file():
            yield Fault(f"{folder}: has no outcome.json", "Its scores are in `tfx-ner runs`")
        if not run.facts.verdict and any(
            one.last_known_state in tidy.UNFINISHED for one in tidy.executions(store, run)
        ):
            yield Fault(
                f"run {run.name}: was killed, and has nodes that ML Metadata takes to be running",
                _NEXT_RUN,
            )
    for name in sorted(folders - {run.name for run in found}):
        yield Fault(
            f"{workdir.runs / name}: ML Metadata knows no such run",
            "Remove the folder if you do not need it",
        )


def _versions(store, folders: versions.Folders) -> Iterator[Fault]:
    pushed = {
        one.custom_properties["pushed_version"].string_value
        for one in store.get_artifacts_by_type("PushedModel")
    }
    for version in folders.all:
        place = folders.place(version)
        missing = versions.missing_parts(place)
        if missing:
            advice = "`tfx-ner models rollback` if it serves, else remove it"
            yield Fault(f"{place}: is not whole, it has no {', no '.join(missing)}", advice)
        if str(version) not in pushed:
            yield Fault(f"{place}: no run published it", "Move it away if you did not put it there")
    lost = versions.lost_version(folders)
    if lost:
        yield Fault(
            f"{folders.live / lost}: the version published last is gone",
            "The next run publishes it again",
        )
    for base in (folders.live, folders.withdrawn):
        for partial in base.glob(f"{versions.PARTIAL}*"):
            yield Fault(f"{partial}: a copy that was not finished", _NEXT_RUN)


def _labels_and_hold(folders: versions.Folders) -> Iterator[Fault]:
    live, found, held = (
        versions.versions(folders.live),
        labels.read(folders.live),
        hold.read(folders.withdrawn),
    )
    for label, version in (("stable", found and found.stable), ("canary", found and found.canary)):
        if version and version not in live:
            advice = "`tfx-ner models promote VERSION` or `rollback VERSION` sets the labels"
            yield Fault(
                f"{folders.live}: the label {label} is on version {version}, which is not live",
                advice,
            )
    if held and any(version >= held.left for version in live):
        advice = f"`tfx-ner models rollback {held.kept}` finishes it"
        yield Fault(
            f"{folders.live}: the rollback from {held.left} to {held.kept} was killed before its end",
            advice,
        )
