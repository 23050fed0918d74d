"""The folder that is written to: which shards are done, whose it is, who is at work in it, and what came of it in the end.

    part-00003-of-00090.jsonl   a shard, whole; in the order of their names they are in the order of the input
    _bad-lines.jsonl            lines that were left out
    _summary.json               how much was annotated; there when everything is done
    _annotation/                what a second start needs

Names that begin with `_` are passed over by readers of folders of Parquet.

On storage elsewhere the same files appear by one request each. There is no lock: two starts of one annotation write the same
shards twice, and the later start of two different ones is refused as soon as it can be told.
"""

import contextlib
import json
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from components import atomic_io
from components.errors import UserError
from components.storage import copies
from components.storage.remote import Remote
from pipeline.annotation import writing
from pipeline.annotation.reading import Reading, Texts
from pipeline.annotation.shards import Shard, Source

_DIGITS = 5
_AT_ONCE = 16  # notes read at a time: elsewhere each takes a request

Place = Path | Remote


@dataclass(frozen=True)
class Job:
    """What an output is of. Another one's is not gone on with."""

    input: Sequence[Source]
    reading: Reading
    format: str
    model: str
    model_hash: str
    shard_bytes: int
    minimum_score: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Output:
    """Paths in the folder `root`, of `shards` shards in the form `form`."""

    root: Place
    form: str
    shards: int

    def part(self, number: int) -> Place:
        """The file of a shard."""
        return self.root / self._part(number)

    def _part(self, number: int) -> str:
        return f"part-{self._name(number)}-of-{self._name(self.shards)}.{self.form}"

    def note(self, number: int) -> Place:
        """What is remembered of a shard."""
        return kept(self.root) / f"{self._name(number)}.json"

    @property
    def bad_lines(self) -> Place:
        return self.root / "_bad-lines.jsonl"

    @property
    def summary(self) -> Place:
        return self.root / "_summary.json"

    @property
    def log(self) -> Path:
        """The log, on this machine."""
        if isinstance(self.root, Remote):
            folder = copies.folder_for(self.root, copies.kept())
            folder.mkdir(parents=True, exist_ok=True)
            return folder / "log.txt"
        return kept(self.root) / "log.txt"

    def whole(self) -> set[str]:
        """The names of the shards that are there."""
        return {path.name for path in self.root.iterdir() if path.name.startswith("part-")}

    def has(self, number: int, whole: set[str]) -> bool:
        """Whether a shard is one of those."""
        return self._part(number) in whole

    def read_note(self, number: int) -> Mapping[str, Any]:
        """What is remembered of a shard that is there."""
        return json.loads(self.note(number).read_text(encoding="utf-8"))

    def done(self, shards: Sequence[Shard]) -> dict[int, Mapping[str, Any]]:
        """What is remembered of the shards that are whole, by number."""
        there, elsewhere = self.whole(), isinstance(self.root, Remote)
        numbers = [
            shard.number
            for shard in shards
            if self.has(shard.number, there) and (elsewhere or self.note(shard.number).exists())
        ]
        return dict(zip(numbers, self._notes(numbers), strict=True))

    def notes(self, shards: Sequence[Shard]) -> Iterator[Mapping[str, Any]]:
        """What is remembered of shards that are all there, in order."""
        return self._notes([shard.number for shard in shards])

    def _notes(self, numbers: Sequence[int]) -> Iterator[Mapping[str, Any]]:
        if not isinstance(self.root, Remote):
            yield from map(self.read_note, numbers)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(self.read_note, numbers)

    def _name(self, number: int) -> str:
        return f"{number:0{max(_DIGITS, len(str(self.shards)))}}"


def kept(root: Place) -> Place:
    """The folder of what a second start needs."""
    return root / "_annotation"


@contextlib.contextmanager
def held(root: Place, job: Job) -> Iterator[None]:
    """Makes the folder `root` for a job, or goes on with one of the same job; nobody else works in it meanwhile.

    Raises UserError where the folder is another job's or nobody's, where somebody is at work in it, and where it cannot be
    written.
    """
    if root.exists() and not root.is_dir():
        raise UserError(
            f"{root}: found a file; expected a folder to write to; give another --output"
        )
    if root.is_dir() and any(root.iterdir()) and not kept(root).is_dir():
        raise UserError(
            f"{root}: the folder holds other files; give another --output, or an empty folder"
        )
    if isinstance(root, Remote):
        _claim(root, job)
        yield
        _claim(root, job)
        return
    try:
        kept(root).mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(kept(root) / ".lock", blocking=False)
        lock.acquire()
    except filelock.Timeout:
        raise UserError(
            f"{root}: another process is at work here; wait until it ends, or give another --output"
        ) from None
    except OSError as error:
        raise UserError(
            f"{root}: cannot write there ({error.strerror}); give another --output"
        ) from None
    try:
        _claim(root, job)
        for partial in kept(root).glob("*.partial"):
            partial.unlink()
        yield
    finally:
        lock.release()


def _claim(root: Place, job: Job) -> None:
    """Notes whose the folder is. Raises UserError where there are shards of another's."""
    path = kept(root) / "job.json"
    if not path.exists() or not any(one.name.startswith("part-") for one in root.iterdir()):
        _write(path, json.dumps(job.as_dict(), ensure_ascii=False, indent=1) + "\n")
        return
    # An output of an earlier version has no minimum score: it holds all entities.
    there = {"minimum_score": 0.0, **json.loads(path.read_text(encoding="utf-8"))}
    wanted = job.as_dict()
    for key in wanted:
        if there.get(key) != wanted[key]:
            found, now = _difference(key, there, wanted)
            raise UserError(
                f"{root}: belongs to another annotation, with {found}, not {now}; give that again to go on with it, or"
                " another --output"
            )


def _difference(key: str, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, str]:
    """In words what is different."""
    if key == "input":
        return tuple(f"the input {_inputs(one.get(key, ()))}" for one in (there, wanted))
    if key == "reading":
        key = next(
            name
            for name in wanted["reading"]
            if there["reading"].get(name) != wanted["reading"][name]
        )
        option = {"form": "--input-format", "field": "--text-field", "longest": "--longest"}[key]
        return tuple(f"{option} {one['reading'].get(key)}" for one in (there, wanted))
    if key == "model_hash":
        return f"the model that was in {wanted['model']} before", "the one that is there now"
    named = {
        "format": "--format",
        "model": "the model",
        "shard_bytes": "shards, in bytes, of",
        "minimum_score": "--minimum-score",
    }[key]
    return tuple(f"{named} {one.get(key)}" for one in (there, wanted))


def _inputs(files: Sequence[Mapping[str, Any]]) -> str:
    size = sum(file["size"] for file in files)
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    newest = max((file["modified"] for file in files), default=0)
    return f"{files[0]['path']}{more} ({size:,} bytes, last changed at {newest / 1e9:.3f})"


def put(output: Output, texts: Texts, found: writing.Found) -> None:
    """Writes a shard and what is to be remembered of it: the shard last, by one rename, when all else is on the disk."""
    number = texts.shard.number
    types = Counter(entity.type for entities in found for entity in entities)
    note = {
        "path": texts.shard.path,
        "lines": texts.lines,
        "texts": len(texts.texts),
        "entities": dict(sorted(types.items())),
        "bad": [left_out._asdict() for left_out in texts.bad],
    }
    if isinstance(output.root, Remote):
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "part"
            writing.write(written, output.form, texts, found)
            output.note(number).write_text(json.dumps(note))
            output.part(number).put(written)
        return
    # A name of its own: a runner may try a shard twice, and at the same time.
    written, noted = (kept(output.root) / f"{uuid.uuid4().hex}.partial" for _ in range(2))
    writing.write(written, output.form, texts, found)
    noted.write_text(json.dumps(note), encoding="utf-8")
    for path in (written, noted):
        atomic_io.sync(path)
    noted.replace(output.note(number))
    atomic_io.sync(kept(output.root))
    written.replace(output.part(number))
    atomic_io.sync(output.root)


def summary(output: Output) -> Mapping[str, Any]:
    """The summary that is there."""
    return json.loads(output.summary.read_text(encoding="utf-8"))


def finish(
    output: Output, shards: Sequence[Shard], seconds: float, minimum_score: float = 0.0
) -> Mapping[str, Any]:
    """Gathers the lines that were left out, writes the summary and returns it.

    It has `shards`, `lines`, `texts`, `bad_lines`, `entities` by type, the `minimum_score` of an entity, and the `seconds`
    that the last start took.
    """
    lines = texts = bad = before = 0
    types: Counter[str] = Counter()
    path = ""
    elsewhere = isinstance(output.root, Remote)
    folder = Path(tempfile.mkdtemp()) if elsewhere else kept(output.root)
    partial = folder / "bad-lines.partial"
    with partial.open("w", encoding="utf-8") as file:
        for shard, note in zip(shards, output.notes(shards), strict=True):
            before = before if path == shard.path else 0
            path = shard.path
            for one in note["bad"]:
                file.write(
                    json.dumps(
                        {"file": path, **one, "line": before + one["line"]}, ensure_ascii=False
                    )
                    + "\n"
                )
            before += note["lines"]
            lines, texts, bad = lines + note["lines"], texts + note["texts"], bad + len(note["bad"])
            types.update(note["entities"])
    if bad and not elsewhere:
        atomic_io.sync(partial)
        os.replace(partial, output.bad_lines)
    elif bad:
        output.bad_lines.put(partial)
    partial.unlink(missing_ok=True)
    if elsewhere:
        folder.rmdir()
    figures = {
        "shards": len(shards),
        "lines": lines,
        "texts": texts,
        "bad_lines": bad,
        "entities": dict(sorted(types.items())),
        "minimum_score": minimum_score,
        "seconds": round(seconds, 3),
    }
    _write(output.summary, json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
    return figures


def _write(path: Place, text: str) -> None:
    if isinstance(path, Remote):
        path.write_text(text)
    else:
        atomic_io.write_text(path, text)
