"""The folders of a model's published versions. Plain Python, without TensorFlow.

In TensorFlow Serving a folder whose name is a number is a version, and the highest serves. So one
rename publishes a version, and one rename withdraws it.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components import atomic_io
from components.export import card

PARTIAL = ".partial-"  # prefix of unfinished copies; not a number, so servers ignore them
_LAST_PUBLISHED = ".latest"  # file with the number of the version that was published last


@dataclass(frozen=True)
class Folders:
    """The folders with the versions of a model."""

    live: Path  # base folder of the servers; they serve its highest version
    withdrawn: Path  # versions that must not be served, after a rollback or during a hold

    @property
    def canary(self) -> Path:
        """Base folder of the canary, which is a separate model: `ner-canary` for `ner`.

        It exists if canaries are in use, and then always holds a copy of the version that serves,
        so that servers find a version there while no canary is on trial.
        """
        return self.live.with_name(f"{self.live.name}-canary")

    @property
    def bases(self) -> tuple[Path, ...]:
        """All base folders; of a version that is in several of them, the first one counts."""
        return self.live, self.withdrawn, self.canary

    @property
    def all(self) -> list[int]:
        """The numbers of all versions, lowest first."""
        return sorted({number for base in self.bases for number in versions(base)})

    def place(self, version: int) -> Path | None:
        """The folder of a version, or None if it does not exist."""
        paths = (base / str(version) for base in self.bases)
        return next((path for path in paths if path.is_dir()), None)


def version_number(name: str) -> int | None:
    """The version number in a folder's name, or None if the folder is not a version.

    TensorFlow Serving expects ASCII digits that fit int64.

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
    """The version numbers in a base folder, lowest first; empty if the folder does not exist."""
    folder = Path(base)
    return list(version_folders(folder)) if folder.is_dir() else []


def serving(folders: Folders) -> int | None:
    """The version that serves, which is the highest live one; None if no version is live."""
    return max(versions(folders.live), default=None)


def canary(folders: Folders) -> int | None:
    """The version on trial as the canary, or None.

    It is the highest version of the canary folder that is neither live nor withdrawn; the others
    are copies.
    """
    copies = {*versions(folders.live), *versions(folders.withdrawn)}
    on_trial = [number for number in versions(folders.canary) if number not in copies]
    newest = max(on_trial, default=None)
    return newest if newest is not None and newest > (serving(folders) or 0) else None


def copy(
    model: Path, base: Path, version: int, copy_file: Callable[..., object] = shutil.copy2
) -> Path:
    """Copies a SavedModel into a base folder as a version that appears complete, and returns it.

    Args:
      model: folder of the SavedModel.
      base: folder of versions.
      version: number of the new version.
      copy_file: copies one file, as `shutil.copy2` does.

    Raises:
      OSError: the model cannot be copied; nothing is left of the copy.
    """
    base.mkdir(parents=True, exist_ok=True)
    partial = base / f"{PARTIAL}{version}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(model, partial, copy_function=copy_file)
        for path in partial.rglob("*"):
            if path.is_file():
                atomic_io.sync(path)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    target = partial.rename(base / str(version))
    atomic_io.sync(base)
    return target


def link(version: Path, base: Path) -> Path:
    """Copies a version into another base folder with the same number, by hard links if possible."""
    return copy(version, base, int(version.name), _link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def move(version: int, source: Path, target: Path) -> None:
    """Moves a version from one base folder to another by one rename."""
    target.mkdir(parents=True, exist_ok=True)
    (source / str(version)).rename(target / str(version))
    for folder in (target, source):
        atomic_io.sync(folder)


def remove(version: Path) -> None:
    """Removes a version's folder; one rename hides it from servers first."""
    shutil.rmtree(version.rename(version.with_name(f"{PARTIAL}{version.name}")))


def clear_partial(folders: Folders) -> None:
    """Removes the unfinished copies that a killed command left."""
    for base in folders.bases:
        for partial in base.glob(f"{PARTIAL}*"):
            shutil.rmtree(partial)


def lost_version(folders: Folders) -> str:
    """The version published last, if its folder is gone and it must be published again; else ""."""
    version = last_published(folders)
    return version if version and not folders.place(int(version)) else ""


def last_published(folders: Folders) -> str:
    """The version published last; "" if no version was published, or it was pruned."""
    record = folders.live / _LAST_PUBLISHED
    return record.read_text(encoding="utf-8").strip() if record.exists() else ""


def set_last_published(folders: Folders, version: str) -> None:
    """Records the version published last."""
    atomic_io.write_text(folders.live / _LAST_PUBLISHED, version)


def forget_last_published(folders: Folders) -> None:
    """Removes the record of the version published last, so that it is not published again."""
    (folders.live / _LAST_PUBLISHED).unlink(missing_ok=True)


def missing_parts(version: Path) -> tuple[str, ...]:
    """The missing files of a version, of those that it needs to be loaded and described."""
    parts = ("saved_model.pb", "variables/variables.index", "assets.extra/ner.json")
    missing = [part for part in parts if not (version / part).is_file()]
    if not list(version.glob("variables/variables.data-*")):
        missing.append("variables/variables.data")
    if parts[-1] not in missing and card.load_card(version) is None:
        missing.append(f"a readable {parts[-1]}")
    return tuple(missing)


def content_hash(model: Path) -> str:
    """A hash of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(model).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
