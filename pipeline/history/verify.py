"""Checks that ML Metadata, the folders of artifacts and runs, and the published versions agree."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ml_metadata import MetadataStore

from components.publishing import canary, changes, versions
from pipeline.history import artifacts, cleanup, runs
from pipeline.workdir import Workdir

# The files of a complete artifact, by its type; "*" stands for each of its splits.
_REQUIRED_FILES = {
    "Examples": ("Split-*/*",),
    "ExampleStatistics": ("Split-*/FeatureStats.pb",),
    "ExampleAnomalies": ("Split-*/SchemaDiff.pb",),
    "Schema": ("schema.pbtxt",),
    "TransformGraph": ("transform_fn/saved_model.pb", "transformed_metadata/*"),
    "Model": ("Format-Serving/saved_model.pb", "Format-Serving/variables/variables.index"),
    "ModelEvaluation": ("metrics*",),
    "ModelBlessing": ("*BLESSED",),
    artifacts.PAGE_TYPE: ("index.html", "report.json"),
}
_NEXT_RUN = "The next run removes it"
_SET_ASIDE = "The next run moves it to WORKDIR/set-aside, in case it is of use"
_GONE = "The next run makes it again if it needs it; else `tfx-ner runs prune` removes its record"
_PAGE_GONE = "Its figures remain; `tfx-ner runs prune` removes its record when its run is old"


@dataclass(frozen=True)
class Fault:
    """Something that does not agree."""

    what: str  # the file or record, and what is wrong with it
    advice: str  # what to do about it


@dataclass(frozen=True)
class Verification:
    """The result of a check."""

    artifacts: int  # number of artifacts checked
    runs: int  # number of runs checked
    versions: int  # number of published versions checked
    faults: tuple[Fault, ...]  # what does not agree
    set_aside: tuple[str, ...]  # folders with files of unknown origin; they are no fault

    def as_dict(self) -> dict:
        return asdict(self)


def verify(store: MetadataStore, workdir: Workdir) -> Verification:
    """Checks everything in the workdir.

    Raises UserError while a run is in progress, because nothing has to agree then.
    """
    holder = workdir.holder
    with workdir.locked():
        known, all_runs = artifacts.known(store, workdir), runs.load_runs(store, workdir)
        faults = (
            *_lock(workdir, holder),
            *_artifacts(store, workdir, known),
            *_runs(store, workdir, all_runs),
            *_versions(store, workdir.versions),
            *_canary_and_hold(workdir.versions),
        )
        aside = tuple(str(entry.folder) for entry in cleanup.list_set_aside(workdir))
        return Verification(len(known), len(all_runs), len(workdir.versions.all), faults, aside)


def _lock(workdir: Workdir, holder: int) -> Iterator[Fault]:
    if holder:
        yield Fault(
            f"{workdir.root}/.lock.holder: process {holder} was killed while it held the workdir",
            _NEXT_RUN,
        )


def _artifacts(
    store: MetadataStore, workdir: Workdir, known: list[artifacts.Artifact]
) -> Iterator[Fault]:
    for artifact in known:
        uri = artifact.uri
        if artifact.state != artifacts.Artifact.LIVE:
            continue
        if not Path(uri).is_dir():
            advice = _GONE if artifact.type != artifacts.PAGE_TYPE else _PAGE_GONE
            yield Fault(f"{uri}: the folder of {artifact.type} {artifact.id} is missing", advice)
            continue
        required = _REQUIRED_FILES.get(artifact.type, ())
        missing = [pattern for pattern in required if not any(Path(uri).glob(pattern))]
        if missing:
            yield Fault(
                f"{uri}: {artifact.type} {artifact.id} is incomplete: {', '.join(missing)} missing",
                "Remove the folder, and the next run makes it again",
            )
    for artifact in known:
        if artifact.state == artifacts.Artifact.MARKED_FOR_DELETION:
            yield Fault(f"{artifact.uri}: its pruning was killed", _NEXT_RUN)
    for folder in artifacts.half_removed(workdir):
        yield Fault(f"{folder}: its removal was killed", _NEXT_RUN)
    for folder in artifacts.folders_without_artifact(workdir, known):
        if cleanup.is_left_by_killed_run(store, workdir, known, folder):
            yield Fault(f"{folder}: was left by a run that was killed or failed", _NEXT_RUN)
        else:
            yield Fault(f"{folder}: unknown, ML Metadata has no artifact there", _SET_ASIDE)


def _runs(store: MetadataStore, workdir: Workdir, all_runs: list[runs.Run]) -> Iterator[Fault]:
    folders = {path.name for path in workdir.runs.glob("*") if path.is_dir()}
    for run in all_runs:
        folder = workdir.runs / run.name
        if run.name not in folders:
            yield Fault(
                f"{folder}: the folder of a run is missing",
                "Its configuration and log are lost, its history is not",
            )
        elif run.facts.overall and not (folder / "outcome.json").is_file():
            yield Fault(f"{folder}: outcome.json is missing", "Its scores are in `tfx-ner runs`")
        states = {entry.last_known_state for entry in runs.load_executions(store, run)}
        if not run.facts.verdict and not states.isdisjoint(cleanup.UNFINISHED):
            yield Fault(
                f"run {run.name}: was killed, and ML Metadata has nodes of it as running", _NEXT_RUN
            )
    for name in sorted(folders - {run.name for run in all_runs}):
        yield Fault(
            f"{workdir.runs / name}: unknown, ML Metadata has no such run",
            "Remove the folder if you do not need it",
        )


def _versions(store: MetadataStore, folders: versions.Folders) -> Iterator[Fault]:
    pushed = artifacts.published_versions(store)
    for version in folders.all:
        path = folders.place(version)
        missing = versions.missing_parts(path)
        if missing:
            advice = "`tfx-ner models rollback` if it serves, else remove it"
            yield Fault(f"{path}: is incomplete: {', '.join(missing)} missing", advice)
        if str(version) not in pushed:
            yield Fault(f"{path}: no run published it", "Move it away if you did not put it there")
    lost = versions.lost_version(folders)
    if lost:
        yield Fault(
            f"{folders.live / lost}: the version published last is missing",
            "The next run publishes it again",
        )
    for base in folders.bases:
        for partial in base.glob(f"{versions.PARTIAL}*"):
            yield Fault(f"{partial}: an unfinished copy", _NEXT_RUN)


def _canary_and_hold(folders: versions.Folders) -> Iterator[Fault]:
    live, held = versions.versions(folders.live), changes.load_hold(folders.withdrawn)
    if canary.in_use(folders) and live and max(live) not in versions.versions(folders.canary):
        yield Fault(
            f"{folders.canary}: has no copy of version {max(live)}, which serves",
            "The next command that changes versions makes it",
        )
    for name in canary.model_names(folders.live.parent):
        if not versions.versions(folders.live.with_name(name)):
            yield Fault(
                f"{folders.live.parent / canary.CONFIG}: names the model {name}, which has no version",
                "A server that starts now waits for a version; publish one, or take the model out",
            )
    if held and any(version >= held.left for version in live):
        advice = f"`tfx-ner models rollback {held.kept}` finishes it"
        yield Fault(
            f"{folders.live}: the rollback from {held.left} to {held.kept} was killed", advice
        )
