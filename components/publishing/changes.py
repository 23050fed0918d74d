"""Changes of the published versions: publish, roll back, promote, release, prune; and the hold.

Each change is a few renames in an order that survives a kill; one of them changes what is served. A
killed change is finished by repeating it. The caller has the lock of the workdir. A rollback sets a
hold: until it is lifted, no run puts a version live. Plain Python.
"""

import errno
import json
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from components import atomic_io
from components.errors import UserError
from components.publishing import canary, versions
from components.publishing.versions import Folders

_HOLD_FILE = ".hold.json"  # in the folder of withdrawn versions


@dataclass(frozen=True)
class Hold:
    """A rollback by `tfx-ner models rollback`."""

    left: int  # the version that was rolled back
    kept: int  # the version that serves since
    at: str  # ISO 8601
    by: str  # the user
    reason: str  # "" if no reason was given

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        versions = f"from {self.left} to {self.kept}"
        return f"held since the rollback {versions} on {self.at} by {self.by}{why}"


def publish(
    model: str | Path, folders: Folders, as_canary: bool = False, base_path: str | None = None
) -> Path:
    """Publishes a SavedModel as a new version and returns the version's folder.

    The version goes live, or as a canary to the canary folder if another version serves. During a
    hold it goes to the withdrawn versions. Its number is the seconds since 1970, and higher than
    all existing numbers. The model is not copied if it is already the newest live version, the
    canary or a withdrawn version, as after a run that was killed.

    Args:
      model: folder of the SavedModel.
      folders: the model's versions.
      as_canary: put the version on trial.
      base_path: `folders.live` as servers see it, for `models.config`, if that is another path.
    """
    model = Path(model)
    held = load_hold(folders.withdrawn) is not None
    for folder in (folders.live, folders.withdrawn) if held else (folders.live,):
        folder.mkdir(parents=True, exist_ok=True)
    versions.clear_partial(folders)
    canary.update(folders)
    serves = versions.serving(folders)
    version = _same_model(model, folders)
    if version and version.parent == folders.withdrawn:
        return version
    on_trial = as_canary and serves is not None
    if version is None:
        if on_trial and not held:
            canary.set_up(folders, base_path)
        base = folders.withdrawn if held else folders.canary if on_trial else folders.live
        number = max(int(time.time()), max(folders.all, default=0) + 1)
        version = versions.copy(model, base, number)
    elif version.parent == folders.canary and not as_canary and not held:
        version = versions.link(version, folders.live)
    if as_canary and not held:
        canary.set_up(folders, base_path)
    else:
        canary.update(folders)
    versions.set_last_published(folders, version.name)
    return version


def rollback(folders: Folders, version: int | None, at: str, by: str, reason: str) -> Hold:
    """Lets an earlier version serve, and holds new versions back until `promote` or `release`.

    Args:
      folders: the model's versions.
      version: the version to go back to. By default the newest step is taken back: the canary is
        dropped if there is one; otherwise the next lower version serves.
      at: the time, in ISO 8601.
      by: the user.
      reason: why, for people.

    Raises:
      UserError: there is no version to go back to, or it is not complete.
    """
    serves = versions.serving(folders)
    if serves is None:
        raise UserError(f"{folders.live}: no version serves; nothing to roll back")
    canary.update(folders)
    on_trial = versions.canary(folders)
    live = versions.versions(folders.live)
    target = version if version is not None else serves if on_trial else fallback(folders)
    if target is None:
        raise UserError(f"{folders.live}: {serves} is the only version; nothing to roll back to")
    above = [number for number in live if number > target]
    newest = on_trial or serves
    if newest <= target:
        known = [number for number in folders.all if number < newest]
        raise UserError(f"version {target} is not lower than any live version; {_one_of(known)}")
    _refuse_broken(folders, target)
    _refuse_two_file_systems(folders)
    held = load_hold(folders.withdrawn)
    if held is None or held.kept != target or held.left < newest:
        held = Hold(newest, target, at, by, reason)
    # The hold comes first, so that a run that starts now does not publish.
    save_hold(folders.withdrawn, held)
    if on_trial:
        versions.move(on_trial, folders.canary, folders.withdrawn)
    if target not in live:
        versions.move(target, folders.withdrawn, folders.live)
    # The highest version serves until the last rename, so that a server never sees one in between.
    for number in above:
        versions.move(number, folders.live, folders.withdrawn)
    canary.update(folders)
    return held


def promote(folders: Folders, version: int | None) -> int:
    """Lets a withdrawn version or the canary serve, lifts the hold and returns the version.

    Args:
      folders: the model's versions.
      version: the version, by default the canary.

    Raises:
      UserError: there is no version to promote, or it is not complete.
    """
    canary.update(folders)
    on_trial, serves = versions.canary(folders), versions.serving(folders)
    withdrawn = versions.versions(folders.withdrawn)
    version = version if version is not None else on_trial
    if version is None:
        raise UserError(
            f"there is no canary to promote; name a withdrawn version: {_one_of(withdrawn)}"
        )
    if version not in withdrawn and version != on_trial:
        if version != serves:
            raise UserError(
                f"version {version} is neither withdrawn nor a canary;"
                f" {_one_of([*withdrawn, on_trial])}"
            )
        if load_hold(folders.withdrawn) is None:
            raise UserError(f"version {version} serves already")
    elif version < (serves or 0):
        raise UserError(
            f"version {version} is lower than the live version; `tfx-ner models rollback {version}`"
            " goes back to it"
        )
    _refuse_broken(folders, version)
    if version in withdrawn:
        _refuse_two_file_systems(folders)
        versions.move(version, folders.withdrawn, folders.live)
    elif version == on_trial:
        # The canary folder keeps its copy, so that nothing changes for requests to the canary.
        versions.link(folders.canary / str(version), folders.live)
    canary.update(folders)
    lift_hold(folders.withdrawn)
    return version


def release(folders: Folders) -> Hold:
    """Lifts the hold and returns it; the next accepted model goes live.

    Raises UserError if there is no hold.
    """
    held = load_hold(folders.withdrawn)
    if held is None:
        raise UserError(f"{folders.live}: nothing is held")
    lift_hold(folders.withdrawn)
    return held


def load_hold(withdrawn: Path) -> Hold | None:
    """The hold in force, or None. Raises UserError if the file cannot be read."""
    path = withdrawn / _HOLD_FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if "because" in fields:  # as earlier releases wrote it
            fields["reason"] = fields.pop("because")
        return Hold(**fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: cannot read the hold ({error}); look at `tfx-ner models list`, and remove the"
            " file if nothing is held"
        ) from None


def save_hold(withdrawn: Path, hold: Hold) -> None:
    """Writes a hold."""
    atomic_io.write_text(
        withdrawn / _HOLD_FILE, json.dumps(asdict(hold), ensure_ascii=False, indent=1) + "\n"
    )


def lift_hold(withdrawn: Path) -> None:
    """Removes the hold, if there is one."""
    (withdrawn / _HOLD_FILE).unlink(missing_ok=True)


def protected(folders: Folders) -> set[int]:
    """The versions that `prune` keeps: serving, its fallback, the canary, and those of a hold."""
    held = load_hold(folders.withdrawn)
    kept = {versions.serving(folders), fallback(folders), versions.canary(folders)}
    if held:
        kept |= {held.left, held.kept}
    return {number for number in kept if number is not None}


def fallback(folders: Folders) -> int | None:
    """The version that would serve without the one that does."""
    return max(versions.versions(folders.live)[:-1], default=None)


def prune(folders: Folders, keep: int) -> list[int]:
    """Removes all versions but the newest `keep` and the protected ones; returns the removed."""
    versions.clear_partial(folders)
    canary.update(folders)
    newest = folders.all[-keep:] if keep else []
    removed = [number for number in folders.all if number not in {*newest, *protected(folders)}]
    for number in removed:
        if folder := folders.place(number):
            versions.remove(folder)
        if versions.last_published(folders) == str(number):
            versions.forget_last_published(folders)
    return removed


def _same_model(model: Path, folders: Folders) -> Path | None:
    """The newest live version, the canary or a withdrawn version, if its content is the model's."""
    candidates = [
        base / str(number)
        for base, numbers in (
            (folders.live, versions.versions(folders.live)[-1:]),
            (folders.canary, filter(None, [versions.canary(folders)])),
            (folders.withdrawn, reversed(versions.versions(folders.withdrawn))),
        )
        for number in numbers
    ]
    if not candidates:
        return None
    digest = versions.content_hash(model)
    return next((path for path in candidates if versions.content_hash(path) == digest), None)


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
    """Raises UserError if a version cannot be withdrawn by one rename; tries it with a folder."""
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
            f"{folders.live} and {folders.withdrawn} are on different file systems, but a version"
            " moves by one rename; put both on one file system"
        ) from None
    finally:
        for path in (probe, moved):
            if path.is_dir():
                path.rmdir()


def _one_of(numbers: Collection[int | None]) -> str:
    known = sorted({number for number in numbers if number})
    return f"there are {', '.join(map(str, known))}" if known else "there is none"
