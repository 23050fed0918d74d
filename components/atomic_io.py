"""Atomic file writes: a file appears whole or not at all, and survives a power cut."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file atomically; makes its folder if that is missing."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically; makes its folder if that is missing.

    The content is written under another name in the same folder, flushed to the disk, and renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flushes a file's content or a folder's entries to the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
