"""Files of unknown origin: moved into `WORKDIR/set-aside`, and removed by pruning after some days.

Cleaning up deletes only what ML Metadata proves to be left by a killed run. Everything else that no
record accounts for, as after a backup was restored in part, is kept here.
"""

import datetime
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from components import atomic_io
from pipeline.workdir import Workdir

MANIFEST = "manifest.json"  # in each folder: when, why and from where the files came
_REASON = "ML Metadata has no record of these folders"


@dataclass(frozen=True)
class SetAside:
    """A folder of files of unknown origin."""

    folder: Path  # where they are now
    time: float  # when they were set aside, in seconds since 1970
    sources: tuple[str, ...]  # where they were, as paths within the workdir


def move(workdir: Workdir, folders: list[Path]) -> SetAside:
    """Moves folders into a new folder below `WORKDIR/set-aside`, with a manifest, and prints one line."""
    target = workdir.set_aside / f"{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"
    target.mkdir(parents=True)
    sources = tuple(str(folder.relative_to(workdir.root)) for folder in folders)
    moment = time.time()
    manifest = {"time": moment, "reason": _REASON, "folders": sources}
    atomic_io.write_text(target / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    for folder, source in zip(folders, sources):
        (target / source).parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target / source)
    print(
        f"tfx-ner: {len(folders):,} folders of unknown origin were set aside in {target}"
        " (`tfx-ner runs prune` removes them later)",
        file=sys.stderr,
    )
    return SetAside(target, moment, sources)


def listed(workdir: Workdir) -> list[SetAside]:
    """Everything that was set aside, oldest first."""
    entries = []
    for folder in sorted(workdir.set_aside.glob("*")):
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            entries.append(SetAside(folder, manifest["time"], tuple(manifest["folders"])))
        except (OSError, ValueError, KeyError, TypeError):
            if folder.is_dir():
                entries.append(SetAside(folder, folder.stat().st_mtime, ()))
    return entries


def remove_older(workdir: Workdir, days: int) -> list[SetAside]:
    """Removes what was set aside more than `days` days ago, and returns it."""
    oldest = time.time() - days * 86_400
    removed = [entry for entry in listed(workdir) if entry.time < oldest]
    for entry in removed:
        shutil.rmtree(entry.folder)
    return removed
