"""Local copies of remote files, updated when the files change; uploads of published versions."""

import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.errors import UserError
from components.publishing.versions import version_number
from components.storage.remote import Remote, is_remote

_UNSAFE_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]+")
_MODEL_FILE = "saved_model.pb"
_UNUSED_SECONDS = 30 * 24 * 60 * 60


def cache_folder() -> Path:
    """The folder for copies outside workdirs; they are removed after 30 days without use."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfx-ner" / "copies"


def local_copy(
    path: str, into: Path | None = None, log: Callable[[str], None] = lambda _: None
) -> str:
    """Returns a local path unchanged, and for an address the path of its up-to-date copy.

    Args:
      path: A file or folder.
      into: Folder for copies; `cache_folder()` if not given.
      log: Gets a line before anything is fetched.

    Raises:
      UserError: There is no such file or folder.
      StorageError: The storage cannot be reached.
    """
    if not is_remote(path):
        return path
    source = Remote(path)
    copy = _update_copy(source, into or cache_folder(), log)
    if not into:
        os.utime(copy_folder(source, cache_folder()))
        _remove_unused_copies()
    return str(copy)


def copy_folder(source: Remote, into: Path) -> Path:
    """The folder for the copy of an address."""
    name = _UNSAFE_CHARACTERS.sub("-", source.name)[-40:]
    return into / f"{name}-{hashlib.sha256(str(source).rstrip('/').encode()).hexdigest()[:12]}"


def _remove_unused_copies() -> None:
    # Each version of a model has its own address, so a schedule adds a copy each day.
    for folder in cache_folder().iterdir():
        with contextlib.suppress(OSError):  # another process may remove it too
            if time.time() - folder.stat().st_mtime > _UNUSED_SECONDS:
                shutil.rmtree(folder)


def _update_copy(source: Remote, into: Path, log: Callable[[str], None]) -> Path:
    """Updates the copy of a file or folder, and returns its path.

    A copy gets the time of the remote file, so that unchanged files are not fetched again. Copies
    of removed files are removed.
    """
    is_file = source.is_file()
    if is_file:
        files, target = {source.name: (source, source.info())}, copy_folder(source, into)
    else:
        prefix = f"{str(source).rstrip('/')}/"
        files = {file.address.removeprefix(prefix): (file, info) for file, info in source.listing()}
        target = copy_folder(source, into) / source.name
    if not files:
        raise UserError(f"{source}: no such file or folder; expected an existing one")
    for name in files:
        if ".." in name.split("/") or name.startswith("/"):
            raise UserError(f"{source}: found the name {name}; expected names inside its folder")
    changed = {name: file for name, file in files.items() if not _is_same(target / name, file[1])}
    if changed:
        size = sum(info.size for _, info in changed.values())
        plural = "s" * (len(changed) > 1)
        log(f"fetching {source}: {len(changed):,} file{plural}, {size / 1e6:,.1f} MB")
    for name, (file, info) in changed.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        # A unique name: another process may fetch the file too.
        partial = target.parent / f".{uuid.uuid4().hex}.partial"
        try:
            file.download(partial)
            os.utime(partial, ns=(info.mtime_ns, info.mtime_ns))
            partial.replace(target / name)
        finally:
            partial.unlink(missing_ok=True)
    _remove_others(target, files)
    return target / source.name if is_file else target


def _remove_others(folder: Path, names: dict[str, Any]) -> None:
    """Removes all files but the named ones, and then empty folders."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in names:
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()


def _is_same(path: Path, info: Any) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_size == info.size and status.st_mtime_ns == info.mtime_ns


def list_versions(base: Remote) -> list[int]:
    """The numbers of the complete versions in a remote base folder, lowest first."""
    models = {file.address for file, _ in base.listing() if file.name == _MODEL_FILE}
    names = [address.removesuffix(f"/{_MODEL_FILE}").rpartition("/")[2] for address in models]
    return sorted(
        int(name)
        for name in names
        if version_number(name) is not None and str(base / name / _MODEL_FILE) in models
    )


def upload_version(version: Path, base: Remote) -> None:
    """Uploads a version folder, `saved_model.pb` last: without it no server loads the version."""
    files = sorted(path for path in version.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == _MODEL_FILE):
        (base / version.name / path.relative_to(version).as_posix()).upload(path)


def remove_version(number: int, base: Remote) -> None:
    """Removes a remote version, `saved_model.pb` first, so that no server loads half a version."""
    files = [file for file, _ in (base / str(number)).listing()]
    for file in sorted(files, key=lambda file: file.name != _MODEL_FILE):
        file.unlink(missing_ok=True)
