"""Files and folders that appear whole or not at all, and stay when the power goes."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Writes a file beside, and renames it into its place; makes the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Makes sure that a file or folder is on the disk before a name promises it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
