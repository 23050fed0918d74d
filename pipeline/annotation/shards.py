"""What is to be annotated: the files that a pattern names, and the shards that they are cut into."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.corpus.split_files import is_json_name
from components.corpus.text_files import COMPRESSED
from components.errors import UserError
from components.storage import remote

TEXT, JSONL, PARQUET = FORMS = ("text", "jsonl", "parquet")
_SMALLEST, _LARGEST = (
    2**18,
    2**23,
)  # bytes of a shard where nobody says how many; each is in memory as a whole
_SHARDS = 100
_HEAD = 64


@dataclass(frozen=True)
class Source:
    """A file as it was when it was found: `size` in bytes, `modified` in nanoseconds since 1970."""

    path: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: str) -> "Source":
        """The file as it is now. Raises UserError where it cannot be read."""
        if remote.is_remote(path):
            found = remote.Remote(path).info()
            if not found.is_file:
                raise UserError(
                    f"{path}: cannot read (no such file); expected a file that can be read"
                )
            return cls(path, found.size, found.mtime_ns)
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
        except OSError as error:
            raise UserError(
                f"{path}: cannot read ({error.strerror}); expected a file that can be read"
            ) from None
        return cls(os.path.abspath(path), status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Shard:
    """Part of a file: the lines that begin at the bytes `first` to `end`, or of Parquet these rows; `end` excluded."""

    number: int
    path: str
    first: int
    end: int


def find(pattern: str) -> tuple[Source, ...]:
    """The files that a pattern, a folder or a name means, by name; hidden ones, and those named `_…`, only by their full name.

    Raises UserError where there are none.
    """
    if remote.is_remote(pattern):
        return _sources(pattern, remote.find(pattern))
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "*")
    found = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
    if glob.has_magic(pattern):
        found = [path for path in found if not os.path.basename(path).startswith(("_", "."))]
    return _sources(pattern, found)


def _sources(pattern: str, found: Sequence[str]) -> tuple[Source, ...]:
    if not found:
        raise UserError(
            f"{pattern}: no such file; expected one, a folder of them, or a pattern as 'texts/*.jsonl'"
        )
    return tuple(Source.of(path) for path in sorted(found))


def form_of(sources: Sequence[Source]) -> str:
    """The form of the files, by their names. Raises UserError where they have several."""
    by_form = {_form(source.path): source.path for source in sources}
    if len(by_form) > 1:
        found = ", ".join(f"{path} ({form})" for form, path in by_form.items())
        raise UserError(
            f"found files of several forms: {found}; name those of one form, or give --input-format"
        )
    return next(iter(by_form))


def cut(sources: Sequence[Source], form: str, size: int) -> tuple[Shard, ...]:
    """The shards of all files, in order, of about `size` bytes each (`default_size` for 0); always the same ones.

    Raises UserError for a file that is not of the form, and where there is nothing in any.
    """
    size = size or default_size(sources)
    ranges = _of_rows if form == PARQUET else _of_bytes
    pieces = [(source.path, *piece) for source in sources for piece in ranges(source, size)]
    if not pieces:
        raise UserError(f"{sources[0].path}: nothing in it; expected at least one text")
    return tuple(Shard(number, *piece) for number, piece in enumerate(pieces))


def default_size(sources: Sequence[Source]) -> int:
    """Bytes of a shard: small ones, unless there would be very many."""
    return min(max(sum(source.size for source in sources) // _SHARDS, _SMALLEST), _LARGEST)


def _form(path: str) -> str:
    if path.lower().endswith((".parquet", ".pq")):
        return PARQUET
    return JSONL if is_json_name(path) else TEXT


def _of_bytes(source: Source, size: int) -> Iterator[tuple[int, int]]:
    with remote.opened(source.path) as file:
        head = file.read(_HEAD)
    if head.startswith((*COMPRESSED, b"PAR1", b"\xff\xfe", b"\xfe\xff")):
        raise UserError(
            f"{source.path}: found a compressed or binary file, or UTF-16; expected text in UTF-8"
        )
    yield from _evenly(source.size, size)


def _of_rows(source: Source, size: int) -> Iterator[tuple[int, int]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with remote.opened(source.path) as file:
            facts = parquet.read_metadata(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(
            f"{source.path}: found no Parquet ({str(error).splitlines()[0]}); expected that"
        ) from None
    total = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    yield from _evenly(facts.num_rows, max(1, size * facts.num_rows // max(total, 1)))


def _evenly(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of nearly the same length, none longer than `most`.

    >>> list(_evenly(10, 4))
    [(0, 3), (3, 6), (6, 10)]
    """
    count = -(-total // most)
    for number in range(count):
        yield number * total // count, (number + 1) * total // count
