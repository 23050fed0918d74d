"""Copies of files that are elsewhere: what is there is fetched once, and again when it changes there."""

import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from components.errors import UserError
from components.publishing.versions import version_number
from components.storage.remote import Remote, is_remote

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MARK = "saved_model.pb"
_UNUSED = 30 * 24 * 60 * 60  # seconds


def kept() -> Path:
    """Where copies are kept that belong to no work folder, in the user's cache; what was not used for 30 days is forgotten."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfx-ner" / "copies"


def local(
    path: str, into: Optional[Path] = None, say: Callable[[str], None] = lambda _: None
) -> str:
    """A path of this machine as it is; of one elsewhere, its copy.

    Args:
      path: a file or folder.
      into: folder for copies, `kept()` if not given; each address has its own in there.
      say: is told what is fetched, before it is.

    Raises UserError where there is none, and StorageError where it cannot be reached.
    """
    if not is_remote(path):
        return path
    source = Remote(path)
    copy = _copied(source, into or kept(), say)
    if not into:
        os.utime(folder_for(source, kept()))
        _forget_unused()
    return str(copy)


def _forget_unused() -> None:
    # Each version of a model has an address of its own: with a schedule there would be one more copy each day.
    for folder in kept().iterdir():
        with contextlib.suppress(OSError):  # another process forgets it, too
            if time.time() - folder.stat().st_mtime > _UNUSED:
                shutil.rmtree(folder)


def _copied(source: Remote, into: Path, say: Callable[[str], None]) -> Path:
    """Brings the copy of a file or folder up to date, and returns it.

    A copy has the time that the file has there, so that what has not changed is known; what is gone there goes here, too.
    """
    if source.is_file():
        files, target = {source.name: (source, source.info())}, folder_for(source, into)
    else:
        files = {
            one.address.removeprefix(f"{str(source).rstrip('/')}/"): (one, info)
            for one, info in source.listing()
        }
        target = folder_for(source, into) / source.name
    if not files:
        raise UserError(f"{source}: no such file or folder; expected one that is there")
    for name in files:
        if ".." in name.split("/") or name.startswith("/"):
            raise UserError(
                f"{source}: found the name {name}; expected none that leads out of its folder"
            )
    new = {name: one for name, one in files.items() if not _same(target / name, one[1])}
    if new:
        size = sum(info.size for _, info in new.values())
        say(f"fetching {source}: {len(new):,} file{'s' * (len(new) > 1)}, {size / 1e6:,.1f} MB")
    for name, (one, info) in new.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        # Beside, under a name of its own: another process may fetch it, too.
        partial = target.parent / f".{uuid.uuid4().hex}.partial"
        try:
            one.fetch(partial)
            os.utime(partial, ns=(info.mtime_ns, info.mtime_ns))
            partial.replace(target / name)
        finally:
            partial.unlink(missing_ok=True)
    for path in target.rglob("*"):
        if path.is_file() and path.relative_to(target).as_posix() not in files:
            path.unlink()
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # there is something in it
                path.rmdir()
    return target / source.name if source.is_file() else target


def folder_for(source: Remote, into: Path) -> Path:
    """The folder of an address's copy."""
    name = _NOT_IN_A_NAME.sub("-", source.name)[-40:]
    return into / f"{name}-{hashlib.sha256(str(source).rstrip('/').encode()).hexdigest()[:12]}"


def _same(path: Path, info) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size == info.size and found.st_mtime_ns == info.mtime_ns


def versions(base: Remote) -> list[int]:
    """The numbers of the versions elsewhere that are whole, lowest first."""
    found = {place.address for place, _ in base.listing() if place.name == _MARK}
    numbers = [address.removesuffix(f"/{_MARK}").rpartition("/")[2] for address in found]
    return sorted(
        int(number)
        for number in numbers
        if version_number(number) is not None and str(base / number / _MARK) in found
    )


def upload_version(version: Path, base: Remote) -> None:
    """Copies the folder of a version to a base folder elsewhere: `saved_model.pb` last, without which nobody loads it."""
    files = sorted(path for path in version.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == _MARK):
        (base / version.name / path.relative_to(version).as_posix()).put(path)


def remove_version(number: int, base: Remote) -> None:
    """Removes a version elsewhere: `saved_model.pb` first, so that nobody begins to load what is half gone."""
    files = [place for place, _ in (base / str(number)).listing()]
    for place in sorted(files, key=lambda place: place.name != _MARK):
        place.unlink(missing_ok=True)
