"""The Pusher: a version appears in the serving folder whole or not at all.

TFX's own Pusher copies into the version folder in place, and a server that polls meanwhile sees a folder that it cannot
load. This one copies beside, and renames.
"""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

_PARTIAL = ".partial-"  # no whole number: a server takes no such folder for a version
_LATEST = ".latest"  # names the version published last


class Executor(executor.Executor):
    """Publishes the model under the next version number if it is blessed."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        model = self.GetModelPath(input_dict)
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        path = publish(model, destination.filesystem.base_directory)
        # The artifact holds the version's place rather than a second copy of the model.
        io_utils.write_string_file(os.path.join(pushed.uri, "published.json"), json.dumps({"path": str(path)}) + "\n")
        self._MarkPushed(pushed, pushed_destination=str(path), pushed_version=path.name)


def publish(model: str | Path, base: str | Path) -> Path:
    """Copies the SavedModel `model` to a new version folder under `base` and returns that.

    Versions are seconds since 1970, always higher than every one there, also when the clock was set back. A model that is
    the newest version already is not published again: a run that was killed in between starts here once more.
    """
    folder = Path(base)
    folder.mkdir(parents=True, exist_ok=True)
    for partial in folder.glob(f"{_PARTIAL}*"):  # what a killed run left half-copied
        shutil.rmtree(partial)
    newest = max(versions(folder), default=0)
    if newest and _digest(folder / str(newest)) == _digest(Path(model)):
        return folder / str(newest)
    number = max(int(time.time()), newest + 1)
    partial = folder / f"{_PARTIAL}{number}"
    shutil.copytree(model, partial)
    for path in partial.rglob("*"):
        if path.is_file():
            _sync(path)
    target = partial.rename(folder / str(number))
    _sync(folder)
    (folder / _LATEST).write_text(target.name, encoding="utf-8")
    return target


def lost_version(base: str | Path) -> str:
    """The version published last if it is there no more, else "". Then the model has to be published again."""
    record = Path(base) / _LATEST
    version = record.read_text(encoding="utf-8").strip() if record.exists() else ""
    return version if version and not (Path(base) / version).is_dir() else ""


def versions(base: str | Path) -> list[int]:
    """The version numbers in a serving folder, lowest first."""
    folder = Path(base)
    return (
        sorted(
            int(path.name) for path in folder.iterdir() if path.name.isascii() and path.name.isdigit() and path.is_dir()
        )
        if folder.is_dir()
        else []
    )


def _digest(model: Path) -> str:
    """A hash of a folder's files, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(model).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sync(path: Path) -> None:
    """Makes sure that a file or folder is on the disk before a name promises it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
