"""What the owner of published versions does by hand: roll back, promote, release, prune. Plain Python.

Each is a few renames in an order that a kill cannot hurt: what a server sees changes with one of them. Done again, a
command that was killed goes on where it was.
"""

import errno
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Optional

from components import atomic_io
from components.errors import UserError
from components.publishing import hold, labels, versions
from components.publishing.versions import Folders


def rollback(folders: Folders, version: Optional[int], at: str, by: str, because: str) -> hold.Hold:
    """Lets an earlier version serve, and holds what would be published until `promote` or `release`.

    Args:
      folders: where versions lie.
      version: the one to go back to. Without it, the newest step is taken back: the canary if there is one, else the
        version that serves, in favour of the next lower one.
      at: when, in ISO 8601.
      by: who.
      because: why.

    Raises:
      UserError: there is nothing to go back to, or it is not whole.
    """
    before = versions.serving(folders)
    if before is None:
        raise UserError(f"{folders.live}: no version serves; nothing to roll back")
    live = versions.versions(folders.live)
    target = version if version is not None else _previous(folders, before)
    if target is None:
        raise UserError(f"{folders.live}: {before} is the only version; nothing to roll back to")
    above = [number for number in live if number > target]
    if not above:
        known = [number for number in folders.all if number < max(live)]
        raise UserError(f"version {target} is not lower than any live version; {_one_of(known)}")
    _refuse_broken(folders, target)
    _refuse_two_file_systems(folders)
    kept = hold.read(folders.withdrawn)
    made = (
        kept
        if kept and kept.kept == target and kept.left == max(above)
        else hold.Hold(max(above), target, at, by, because)
    )
    # First, for a run that starts now must not publish.
    hold.put(folders.withdrawn, made)
    if target not in live:
        _move(target, folders.withdrawn, folders.live)
    found = labels.read(folders.live)
    if found:
        labels.write(folders.live, labels.Labels(target, base_path=found.base_path))
    # The highest serves until the last rename, so that a server never sees one in between.
    for number in above:
        _move(number, folders.live, folders.withdrawn)
    return made


def promote(folders: Folders, version: Optional[int]) -> int:
    """Lets a withdrawn version or the canary serve, lifts the hold, and returns the version. Raises UserError."""
    found = labels.read(folders.live)
    canary = found.canary if found else None
    version = version if version is not None else canary
    withdrawn = versions.versions(folders.withdrawn)
    if version is None:
        raise UserError(
            f"there is no canary to promote; name a withdrawn version: {_one_of(withdrawn)}"
        )
    serves = versions.serving(folders)
    if version not in withdrawn and version != canary:
        if version == serves:
            raise UserError(f"version {version} serves already")
        raise UserError(
            f"version {version} is neither withdrawn nor a canary; {_one_of([*withdrawn, canary])}"
        )
    if version in withdrawn and version < max(versions.versions(folders.live), default=0):
        raise UserError(
            f"version {version} is lower than what is live; `tfx-ner models rollback {version}` goes back to it"
        )
    _refuse_broken(folders, version)
    if version in withdrawn:
        _refuse_two_file_systems(folders)
        _move(version, folders.withdrawn, folders.live)
    if found:
        labels.write(folders.live, labels.Labels(version, base_path=found.base_path))
    hold.lift(folders.withdrawn)
    return version


def release(folders: Folders) -> hold.Hold:
    """Lifts the hold and returns it: the next model that is let through goes live. Raises UserError if nothing is held."""
    found = hold.read(folders.withdrawn)
    if found is None:
        raise UserError(f"{folders.live}: nothing is held")
    hold.lift(folders.withdrawn)
    return found


def protected(folders: Folders) -> set[int]:
    """The versions that `prune` never removes: what serves, its fallback, a canary, and what a hold names."""
    serves, found, held = (
        versions.serving(folders),
        labels.read(folders.live),
        hold.read(folders.withdrawn),
    )
    named = (
        serves,
        fallback(folders),
        found and found.canary,
        held and held.left,
        held and held.kept,
    )
    return {number for number in named if number}


def fallback(folders: Folders) -> Optional[int]:
    """The version that would serve without the one that does."""
    serves = versions.serving(folders)
    return max(
        (number for number in versions.versions(folders.live) if serves and number < serves),
        default=None,
    )


def prune(folders: Folders, keep: int) -> list[int]:
    """Removes all versions but the newest `keep` and those that are protected, and returns what it removed."""
    versions.clear_partial(folders)
    newest = folders.all[-keep:] if keep else []
    gone = [number for number in folders.all if number not in {*newest, *protected(folders)}]
    for number in gone:
        place = folders.place(number)
        # Out of sight by one rename: nobody sees half of it.
        hidden = place.rename(place.with_name(f"{versions.PARTIAL}{number}"))
        shutil.rmtree(hidden)
        if versions.last_published(folders) == str(number):
            versions.forget_last(folders)
    return gone


def _previous(folders: Folders, serves: int) -> Optional[int]:
    found = labels.read(folders.live)
    return serves if found and found.canary else fallback(folders)


def _move(number: int, source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    (source / str(number)).rename(target / str(number))
    for folder in (target, source):
        atomic_io.sync(folder)


def _refuse_broken(folders: Folders, version: int) -> None:
    place = folders.place(version)
    if place is None:
        raise UserError(f"there is no version {version}; {_one_of(folders.all)}")
    missing = versions.missing_parts(place)
    if missing:
        raise UserError(
            f"{place}: cannot serve, for it has no {', no '.join(missing)}; name another version"
        )


def _refuse_two_file_systems(folders: Folders) -> None:
    """Raises UserError where a version cannot be withdrawn by a rename; found out by one of an empty folder."""
    folders.withdrawn.mkdir(parents=True, exist_ok=True)
    probe = folders.live / f"{versions.PARTIAL}probe"
    moved = folders.withdrawn / probe.name
    try:
        probe.mkdir(exist_ok=True)
        probe.rename(moved)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise UserError(
            f"{folders.live} and {folders.withdrawn} are on different file systems, and a version moves by one rename;"
            " put both on one"
        ) from None
    finally:
        for path in (probe, moved):
            if path.is_dir():
                path.rmdir()


def _one_of(numbers: Collection[Optional[int]]) -> str:
    known = sorted({number for number in numbers if number})
    return f"there are {', '.join(map(str, known))}" if known else "there is none"
