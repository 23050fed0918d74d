"""The input of an annotation: the files of a pattern, and the shards that they are cut into."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.corpus.splits import is_json_name
from components.corpus.text_files import COMPRESSED
from components.errors import UserError
from components.storage import remote

TEXT, JSONL, PARQUET = FORMATS = ("text", "jsonl", "parquet")
# Bytes of a shard, unless the user gives a size. A shard is in memory as a whole.
_SMALLEST_SHARD, _LARGEST_SHARD = 2**18, 2**23
_SHARDS = 100
_MAGIC_BYTES = 64


@dataclass(frozen=True)
class SourceFile:
    """An input file as it was when it was found."""

    path: str  # path or address
    size: int  # bytes
    modified: int  # nanoseconds since 1970

    @classmethod
    def of(cls, path: str) -> "SourceFile":
        """The file as it is now. Raises UserError if it cannot be read."""
        if remote.is_remote(path):
            info = remote.Remote(path).info()
            if not info.is_file:
                raise UserError(
                    f"{path}: cannot read (no such file); expected a file that can be read"
                )
            return cls(path, info.size, info.mtime_ns)
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
    """Part of a file."""

    number: int  # index of the shard in the whole input
    path: str  # the file
    first: int  # first byte of the range in which its lines begin; for Parquet, its first row
    end: int  # end of the range, excluded


def find_sources(pattern: str) -> tuple[SourceFile, ...]:
    """The files of a pattern, a folder or a path, sorted by name.

    Names that begin with `.` or `_` are skipped unless the path names the file itself.

    Raises:
      UserError: no file matches.
    """
    if remote.is_remote(pattern):
        paths = remote.find_files(pattern)
    else:
        if os.path.isdir(pattern):
            pattern = os.path.join(glob.escape(pattern), "*")
        paths = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
        if glob.has_magic(pattern):
            paths = [path for path in paths if not os.path.basename(path).startswith(("_", "."))]
    if not paths:
        raise UserError(
            f"{pattern}: no such file; expected a file, a folder of files, or a pattern as"
            " 'texts/*.jsonl'"
        )
    return tuple(SourceFile.of(path) for path in sorted(paths))


def detect_format(sources: Sequence[SourceFile]) -> str:
    """The format of the files by their names, one of `FORMATS`. Raises UserError if they differ."""
    path_by_format = {_format_of_name(source.path): source.path for source in sources}
    if len(path_by_format) > 1:
        found = ", ".join(f"{path} ({form})" for form, path in path_by_format.items())
        raise UserError(
            f"found files of several formats: {found}; expected files of one format,"
            " or --input-format"
        )
    return next(iter(path_by_format))


def cut_shards(sources: Sequence[SourceFile], form: str, size: int) -> tuple[Shard, ...]:
    """Cuts files into shards; the same files and size always give the same shards.

    Args:
      sources: the files.
      form: their format, one of `FORMATS`.
      size: bytes of a shard; 0 for `default_size`.

    Raises:
      UserError: a file is not of the format, or all are empty.
    """
    size = size or default_size(sources)
    ranges = _row_ranges if form == PARQUET else _byte_ranges
    pieces = [(source.path, *piece) for source in sources for piece in ranges(source, size)]
    if not pieces:
        raise UserError(f"{sources[0].path}: empty; expected at least one text")
    return tuple(Shard(number, *piece) for number, piece in enumerate(pieces))


def default_size(sources: Sequence[SourceFile]) -> int:
    """Bytes of a shard: about a hundredth of the input, within limits."""
    total = sum(source.size for source in sources)
    return min(max(total // _SHARDS, _SMALLEST_SHARD), _LARGEST_SHARD)


def _format_of_name(path: str) -> str:
    if path.lower().endswith((".parquet", ".pq")):
        return PARQUET
    if path.lower().endswith((".csv", ".tsv")):
        raise UserError(
            f"{path}: found a table with columns; expected one text a line, JSON Lines, or Parquet. Convert it to JSON Lines"
            " with a field for the text, or take its lines as they are with --input-format text"
        )
    return JSONL if is_json_name(path) else TEXT


def _byte_ranges(source: SourceFile, size: int) -> Iterator[tuple[int, int]]:
    with remote.open_binary(source.path) as file:
        head = file.read(_MAGIC_BYTES)
    if head.startswith((*COMPRESSED, b"PAR1", b"\xff\xfe", b"\xfe\xff")):
        raise UserError(
            f"{source.path}: found a compressed or binary file, or UTF-16; expected text in UTF-8"
        )
    yield from _even_ranges(source.size, size)


def _row_ranges(source: SourceFile, size: int) -> Iterator[tuple[int, int]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with remote.open_binary(source.path) as file:
            metadata = parquet.read_metadata(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(
            f"{source.path}: not a Parquet file ({str(error).splitlines()[0]}); expected Parquet"
        ) from None
    groups = range(metadata.num_row_groups)
    total_bytes = sum(metadata.row_group(group).total_byte_size for group in groups)
    rows_per_shard = max(1, size * metadata.num_rows // max(total_bytes, 1))
    yield from _even_ranges(metadata.num_rows, rows_per_shard)


def _even_ranges(total: int, longest: int) -> Iterator[tuple[int, int]]:
    """Ranges of nearly the same length, none longer than `longest`.

    >>> list(_even_ranges(10, 4))
    [(0, 3), (3, 6), (6, 10)]
    """
    count = -(-total // longest)
    for index in range(count):
        yield index * total // count, (index + 1) * total // count
