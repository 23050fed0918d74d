"""A look at a corpus before a run: bad lines are refused before any time is spent, and its content gets a hash."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from components.corpus import reading
from components.corpus.records import BadLine


@dataclass(frozen=True)
class Survey:
    """`fingerprint`: hash of the files' content by split; `sentences`: number by split; `left_out`: bad sentences."""

    splits: reading.Splits
    fingerprint: str
    sentences: dict[str, int]
    left_out: int


def look(path: str, options: reading.ReadOptions, aside: Path) -> Survey:
    """Reads the whole corpus once.

    Args:
      path: a file or a folder.
      options: how to read it.
      aside: file for the sentences left out, one JSON object each; not made where there are none.

    Raises:
      UserError: as `components.corpus.reading` does.
    """
    splits = reading.find_splits(os.path.abspath(path))
    sentences = dict.fromkeys(splits.names, 0)
    with _Aside(aside) as write:
        for split, _ in reading.read_corpus(splits, options, write):
            sentences[split] += 1
    return Survey(splits, _fingerprint(splits), sentences, write.count)


class _Aside:
    """Writes sentences that are left out to a file, which it makes at the first one."""

    def __init__(self, path: Path):
        self._path, self._file, self.count = path, None, 0

    def __enter__(self):
        return self

    def __call__(self, bad: BadLine, raw: str) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
        record = {"file": bad.file, "line": bad.line, "found": bad.found, "expected": bad.expected, "raw": raw}
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.count += 1

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()


def _fingerprint(splits: reading.Splits) -> str:
    digest = hashlib.sha256()
    for split, files in splits.files.items():
        for file in files:
            digest.update(f"{split} {os.path.basename(file)} {content_hash(file)}\n".encode())
    return digest.hexdigest()


def content_hash(file: str) -> str:
    """A hash of what is in a file."""
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        for block in iter(lambda: content.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
