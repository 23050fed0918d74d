"""Published versions: the folders they lie in, and how a new one appears. Plain Python.

TensorFlow Serving takes a folder whose name is a number for a version, and serves the highest. So a version goes live by
one rename, and is withdrawn by one.
"""

import hashlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from components import atomic_io
from components.export import card
from components.publishing import hold, labels

PARTIAL = ".partial-"  # no whole number: a server takes no such folder for a version
_LATEST = ".latest"  # names the version published last


@dataclass(frozen=True)
class Folders:
    """Where a model's versions lie: `live` is the base folder of servers, `withdrawn` holds those that must not serve."""

    live: Path
    withdrawn: Path

    def place(self, version: int) -> Optional[Path]:
        """The version's folder, live or withdrawn; None if there is none such."""
        places = (base / str(version) for base in (self.live, self.withdrawn))
        return next((place for place in places if place.is_dir()), None)

    @property
    def all(self) -> list[int]:
        """Every version's number, lowest first."""
        return sorted({*versions(self.live), *versions(self.withdrawn)})


def publish(
    model: str | Path, folders: Folders, canary: bool = False, base_path: Optional[str] = None
) -> Path:
    """Copies the SavedModel `model` to a new version and returns its folder.

    It goes live, under the label `canary` if that is asked for and another version serves; while a hold is in force it is
    put with those withdrawn. Versions are seconds since 1970, always higher than every one there, also when the clock was
    set back. A model that is the newest live version already is not published again (a run that was killed in between
    starts here once more), nor is one that was withdrawn.

    Args:
      model: a SavedModel.
      folders: where versions lie.
      canary: whether it goes on trial beside the one that serves.
      base_path: the folder of this model's versions as servers see it, for their configuration; `folders.live` by default.
    """
    base = folders.withdrawn if hold.read(folders.withdrawn) else folders.live
    for folder in (base, folders.live):
        folder.mkdir(parents=True, exist_ok=True)
    clear_partial(folders)
    serves = serving(folders)
    same = _already_there(Path(model), folders)
    if same and same.parent == folders.withdrawn:
        return same
    goes_live = base == folders.live
    if goes_live and canary and serves is not None and not labels.read(folders.live):
        # Said before the new one is there, for the highest would else be taken for the one that serves.
        labels.write(folders.live, labels.Labels(serves, base_path=base_path))
    target = same or _copy(
        Path(model), base, max(int(time.time()), max(folders.all, default=0) + 1)
    )
    if goes_live:
        _label(folders, int(target.name), serves, canary, base_path)
    atomic_io.write_text(folders.live / _LATEST, target.name)
    return target


def _label(
    folders: Folders, version: int, serves: Optional[int], canary: bool, base_path: Optional[str]
) -> None:
    """Labels a version that went live, where labels are in use."""
    found = labels.read(folders.live)
    if version == serves or not (canary or found):
        return
    base_path = base_path or (found.base_path if found else None)
    on_trial = canary and serves is not None
    labels.write(
        folders.live,
        labels.Labels(serves, version, base_path)
        if on_trial
        else labels.Labels(version, None, base_path),
    )


def _copy(model: Path, base: Path, number: int) -> Path:
    partial = base / f"{PARTIAL}{number}"
    try:
        shutil.copytree(model, partial)
        for path in partial.rglob("*"):
            if path.is_file():
                atomic_io.sync(path)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    target = partial.rename(base / str(number))
    atomic_io.sync(base)
    return target


def clear_partial(folders: Folders) -> None:
    """Removes what a killed command left half-made."""
    for base in (folders.live, folders.withdrawn):
        for partial in base.glob(f"{PARTIAL}*"):
            shutil.rmtree(partial)


def lost_version(folders: Folders) -> str:
    """The version published last if it is nowhere any more, else "". Then the model has to be published again."""
    version = last_published(folders)
    return version if version and not folders.place(int(version)) else ""


def last_published(folders: Folders) -> str:
    """The version published last, "" if none was, or if it was pruned since."""
    record = folders.live / _LATEST
    return record.read_text(encoding="utf-8").strip() if record.exists() else ""


def forget_last(folders: Folders) -> None:
    """The version published last is gone for good: it is not to be published again."""
    (folders.live / _LATEST).unlink(missing_ok=True)


def version_number(name: str) -> int | None:
    """The version number that a folder name stands for, None if it stands for no version.

    A version's folder has a name of ASCII digits that fits int64, as TensorFlow Serving expects.

    >>> version_number("1796030754"), version_number("1.partial"), version_number("²")
    (1796030754, None, None)
    """
    if not (name.isascii() and name.isdigit()):
        return None
    number = int(name)
    return number if number < 2**63 else None


def version_folders(base: Path) -> dict[int, Path]:
    """The version folders in a base folder by version number, lowest first.

    Raises OSError if the base folder cannot be read.
    """
    folders = {
        number: path
        for path in base.iterdir()
        if (number := version_number(path.name)) is not None and path.is_dir()
    }
    return dict(sorted(folders.items()))


def versions(base: str | Path) -> list[int]:
    """The version numbers in a base folder, lowest first; empty if there is no such folder."""
    folder = Path(base)
    return list(version_folders(folder)) if folder.is_dir() else []


def serving(folders: Folders) -> Optional[int]:
    """The version that answers: the one labelled stable where there are labels, else the highest; None if none is live."""
    live = versions(folders.live)
    labelled = labels.read(folders.live)
    return labelled.stable if labelled and labelled.stable in live else max(live, default=None)


def missing_parts(version: Path) -> tuple[str, ...]:
    """What a version needs to be loaded and described, and has not."""
    parts = ("saved_model.pb", "variables/variables.index", "assets.extra/ner.json")
    missing = [part for part in parts if not (version / part).is_file()]
    if not list(version.glob("variables/variables.data-*")):
        missing.append("variables/variables.data")
    if parts[-1] not in missing and card.read(version) is None:
        missing.append(f"a readable {parts[-1]}")
    return tuple(missing)


def _already_there(model: Path, folders: Folders) -> Optional[Path]:
    """The newest live version, or any that was withdrawn, if it is this very model."""
    candidates = [folders.live / str(number) for number in versions(folders.live)[-1:]]
    candidates += [
        folders.withdrawn / str(number) for number in reversed(versions(folders.withdrawn))
    ]
    if not candidates:
        return None
    digest = content_hash(model)
    return next((path for path in candidates if content_hash(path) == digest), None)


def content_hash(model: Path) -> str:
    """A hash of a folder's files, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(model).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
