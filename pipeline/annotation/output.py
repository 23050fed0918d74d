"""The output folder of an annotation: its files, its lock, which shards are finished, and its summary.

    part-00003-of-00090.jsonl   a complete shard; sorted by name, the shards have the input's order
    _bad-lines.jsonl            lines that were left out
    _summary.json               figures; written when all shards are finished
    _annotation/                what a restart needs

Readers of Parquet folders skip names that begin with `_`.

On remote storage each file appears by one request. There is no lock: two starts of one annotation
write the same shards twice, and of two different ones the later start is refused when it is noticed.
"""

import contextlib
import json
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components import atomic_io
from components.errors import UserError
from components.ner.granularity import WORDS, Granularity
from components.storage import copies
from components.storage.remote import Remote
from pipeline.annotation.shards import (
    EntityLists,
    InputFormat,
    Shard,
    ShardTexts,
    SourceFile,
    write_shard,
)
from pipeline.workdir import exclusive_lock

_DIGITS = 5
_CONCURRENT_REQUESTS = 16  # for records on remote storage

Location = Path | Remote

# How a message names the fields of `AnnotationSpec` and `InputFormat`.
_LABELS = {
    "form": "--input-format",
    "field": "--text-field",
    "longest": "--longest",
    "format": "--format",
    "model": "the model",
    "shard_bytes": "shards, in bytes, of",
    "minimum_score": "--minimum-score",
}


@dataclass(frozen=True)
class AnnotationSpec:
    """What an output folder was made from. A start with another specification is refused."""

    input: Sequence[SourceFile]  # the input files
    reading: InputFormat  # how they are read
    format: str  # output format: jsonl, conll or parquet
    model: str  # path or address of the published version
    model_hash: str  # hash of its content
    shard_bytes: int  # bytes of a shard, as the user gave them; 0 for the default
    minimum_score: float = 0.0  # entities with a lower score are left out

    def as_dict(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))


@dataclass
class OutputFolder:
    """Paths in an output folder."""

    root: Location  # the folder
    form: str  # output format, which is the ending of the shards' names
    shards: int  # number of shards
    granularity: Granularity = WORDS  # how fine the model's tokens are

    def __post_init__(self) -> None:
        self.bad_lines = self.root / "_bad-lines.jsonl"
        self.summary = self.root / "_summary.json"

    def part(self, number: int) -> Location:
        """The file of a shard."""
        return self.root / f"part-{self._padded(number)}-of-{self._padded(self.shards)}.{self.form}"

    def record(self, number: int) -> Location:
        """The file with the counts and bad lines of a shard."""
        return internal_folder(self.root) / f"{self._padded(number)}.json"

    @property
    def log(self) -> Path:
        """The log, always on this machine."""
        folder = internal_folder(self.root)
        if isinstance(self.root, Remote):
            folder = copies.copy_folder(self.root, copies.cache_folder())
            folder.mkdir(parents=True, exist_ok=True)
        return folder / "log.txt"

    def finished(self, numbers: Iterable[int]) -> list[int]:
        """The numbers of the finished shards among some."""
        names, is_remote = (
            {path.name for path in self.root.iterdir()},
            isinstance(self.root, Remote),
        )
        return [
            number
            for number in numbers
            if self.part(number).name in names and (is_remote or self.record(number).exists())
        ]

    def read_record(self, number: int) -> Mapping[str, Any]:
        """The counts and bad lines of a finished shard."""
        return json.loads(self.record(number).read_text(encoding="utf-8"))

    def _padded(self, number: int) -> str:
        return f"{number:0{max(_DIGITS, len(str(self.shards)))}}"


def internal_folder(root: Location) -> Location:
    """The folder with what a restart needs."""
    return root / "_annotation"


@contextlib.contextmanager
def locked(root: Location, spec: AnnotationSpec) -> Iterator[None]:
    """Creates an output folder, or continues one of the same specification, and locks it.

    Args:
      root: the folder.
      spec: what its content is made from.

    Raises:
      UserError: the folder holds another annotation or other files, another process works in it, or
        it cannot be written.
    """
    if root.exists() and not root.is_dir():
        problem = "found a file; expected a folder to write to; give another --output"
        raise UserError(f"{root}: {problem}")
    if root.is_dir() and any(root.iterdir()) and not internal_folder(root).is_dir():
        problem = "the folder holds other files; give another --output, or an empty folder"
        raise UserError(f"{root}: {problem}")
    if isinstance(root, Remote):
        _claim(root, spec)
        yield
        _claim(root, spec)
        return

    def busy() -> UserError:
        remedy = "wait until it ends, or give another --output"
        return UserError(f"{root}: another process works here; {remedy}")

    with exclusive_lock(internal_folder(root) / ".lock", busy, "--output"):
        _claim(root, spec)
        for partial in internal_folder(root).glob("*.partial"):
            partial.unlink()
        yield


def _claim(root: Location, spec: AnnotationSpec) -> None:
    """Stores the specification. Raises UserError if there are shards of another one."""
    path = internal_folder(root) / "job.json"
    has_shards = any(entry.name.startswith("part-") for entry in root.iterdir())
    if not has_shards or not path.exists():
        _write_text(path, json.dumps(spec.as_dict(), ensure_ascii=False, indent=1) + "\n")
        return
    # An output of an earlier version has no minimum score: it holds all entities.
    stored = {"minimum_score": 0.0, **json.loads(path.read_text(encoding="utf-8"))}
    wanted = spec.as_dict()
    for key in wanted:
        if stored.get(key) != wanted[key]:
            before, now = _describe_difference(key, stored, wanted)
            raise UserError(
                f"{root}: belongs to another annotation, with {before}, not {now}; give that again"
                " to continue it, or another --output"
            )


def _describe_difference(
    key: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> tuple[str, str]:
    """Describes the stored and the wanted value of a field of `AnnotationSpec`."""
    if key == "input":
        return _describe_input(stored.get(key, ())), _describe_input(wanted[key])
    if key == "model_hash":
        return f"the model that was in {wanted['model']} before", "the one that is there now"
    if key == "reading":
        stored, wanted = stored[key], wanted[key]
        key = next(name for name in wanted if stored.get(name) != wanted[name])
    return f"{_LABELS[key]} {stored.get(key)}", f"{_LABELS[key]} {wanted[key]}"


def _describe_input(files: Sequence[Mapping[str, Any]]) -> str:
    size = sum(file["size"] for file in files)
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    newest = max((file["modified"] for file in files), default=0) / 1e9
    return f"the input {files[0]['path']}{more} ({size:,} bytes, last changed at {newest:.3f})"


def store_shard(output: OutputFolder, texts: ShardTexts, entity_lists: EntityLists) -> None:
    """Writes a shard and its record. The shard gets its name last, when all is on the disk."""
    number = texts.shard.number
    types = Counter(entity.type for entities in entity_lists for entity in entities)
    record = json.dumps(
        {
            "path": texts.shard.path,
            "lines": texts.lines,
            "texts": len(texts.texts),
            "entities": dict(sorted(types.items())),
            "bad": [bad_line._asdict() for bad_line in texts.bad],
        }
    )
    if isinstance(output.root, Remote):
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part"
            write_shard(part, output.form, texts, entity_lists, output.granularity)
            output.record(number).write_text(record)
            output.part(number).upload(part)
        return
    # Unique names: a runner may process a shard twice at the same time.
    internal = internal_folder(output.root)
    part, record_file = (internal / f"{uuid.uuid4().hex}.partial" for _ in range(2))
    write_shard(part, output.form, texts, entity_lists, output.granularity)
    record_file.write_text(record, encoding="utf-8")
    for path in (part, record_file):
        atomic_io.sync(path)
    record_file.replace(output.record(number))
    atomic_io.sync(internal)
    part.replace(output.part(number))
    atomic_io.sync(output.root)


def finish(
    output: OutputFolder, shards: Sequence[Shard], seconds: float, minimum_score: float = 0.0
) -> Mapping[str, Any]:
    """Writes the bad lines and the summary of a finished annotation.

    Args:
      output: the folder.
      shards: all shards.
      seconds: how long the last start took.
      minimum_score: the lowest score of an entity.

    Returns:
      The summary: `shards`, `lines`, `texts`, `bad_lines`, `entities` by type, `minimum_score` and
      `seconds`.
    """
    with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
        records = list(pool.map(output.read_record, (shard.number for shard in shards)))
    bad_lines = list(_bad_lines(shards, records))
    if bad_lines:
        _write_text(output.bad_lines, "".join(f"{line}\n" for line in bad_lines))
    types: Counter[str] = Counter()
    for record in records:
        types.update(record["entities"])
    summary = {
        "shards": len(shards),
        "lines": sum(record["lines"] for record in records),
        "texts": sum(record["texts"] for record in records),
        "bad_lines": len(bad_lines),
        "entities": dict(sorted(types.items())),
        "minimum_score": minimum_score,
        "seconds": round(seconds, 3),
    }
    _write_text(output.summary, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    return summary


def _bad_lines(shards: Sequence[Shard], records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The bad lines as JSON, with their numbers in their files instead of their shards."""
    path, lines_before = "", 0
    for shard, record in zip(shards, records, strict=True):
        lines_before = lines_before if path == shard.path else 0
        path = shard.path
        for bad_line in record["bad"]:
            line = {"file": path, **bad_line, "line": lines_before + bad_line["line"]}
            yield json.dumps(line, ensure_ascii=False)
        lines_before += record["lines"]


def _write_text(path: Location, text: str) -> None:
    if isinstance(path, Remote):
        path.write_text(text)
    else:
        atomic_io.write_text(path, text)
