"""The shards of an annotation: the input files and how they are cut, and reading and writing a shard.

Input is plain text, JSON Lines or Parquet; output is JSON Lines, CoNLL columns or Parquet.
"""

import glob
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from components.corpus.formats.json_items import parse_json
from components.corpus.formats.jsonl import kind_of, refuse_surrogates
from components.corpus.records import InvalidRecord, quote
from components.corpus.text_files import COMPRESSED, JSON_ENDINGS, ending_of
from components.errors import UserError
from components.export import output_formats
from components.export.entity import Entity
from components.ner.granularity import WORDS, Granularity
from components.storage import remote

if TYPE_CHECKING:
    import pyarrow

TEXT, JSONL, PARQUET = FORMATS = ("text", "jsonl", "parquet")
# Bytes of a shard, unless the user gives a size. A shard is in memory as a whole.
_SMALLEST_SHARD, _LARGEST_SHARD = 2**18, 2**23
_SHARDS = 100
_MAGIC_BYTES = 64
_BOM = b"\xef\xbb\xbf"
_SKIP_BYTES = 2**16
_BATCH_ROWS = 2**12
_ENTITIES, _ID = "entities", "id"

EntityLists = Sequence[tuple[Entity, ...]]
"""The entities of each text, in order."""


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


@dataclass(frozen=True)
class InputFormat:
    """How to read the input."""

    form: str  # one of `shards.FORMATS`
    field: str  # the field of JSON Lines or the column of Parquet that holds the text
    longest: int  # characters of the longest text that is accepted

    @property
    def longest_line(self) -> int:
        """Bytes of a line with such a text, each character escaped, and with other fields."""
        return 12 * self.longest + 2**20


class BadLine(NamedTuple):
    """A line that is left out."""

    line: int  # its number in the shard, from 1
    found: str  # what is wrong with it
    expected: str  # what was expected
    raw: str  # the line itself; "" if it is too long, or a row of Parquet


@dataclass(frozen=True)
class ShardTexts:
    """The content of a shard."""

    shard: Shard  # where it is from
    texts: Sequence[str]  # the texts, in order
    field: str  # the field that holds the text
    fields: Sequence[Mapping[str, Any]]  # all fields of each text; empty for Parquet
    bad: Sequence[BadLine]  # the lines that are left out
    lines: int  # how many lines were read, bad ones included
    table: "pyarrow.Table | None" = None  # for Parquet, the rows of the texts; None otherwise


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


def read_shard(shard: Shard, source: InputFormat) -> ShardTexts:
    """Reads the texts of a shard. A Parquet file must have the column: see `check_text_column`."""
    if source.form == PARQUET:
        return _read_parquet(shard, source)
    records: list[Mapping[str, Any]] = []
    bad: list[BadLine] = []
    number = 0
    with remote.open_binary(shard.path) as file:
        for number, line in enumerate(_lines(file, shard, source.longest_line), start=1):
            if source.form == JSONL and line is not None and not line.strip():
                continue
            try:
                records.append(_parse_line(line, source))
            except InvalidRecord as error:
                raw = (line or b"").rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                bad.append(BadLine(number, error.found, error.expected, raw))
    field = source.field if source.form == JSONL else "text"
    return ShardTexts(shard, [record[field] for record in records], field, records, bad, number)


def check_text_column(path: str, field: str) -> None:
    """Checks that a Parquet file has a column of strings. Raises UserError if not."""
    import pyarrow
    from pyarrow import parquet

    with remote.open_binary(path) as file:
        schema = parquet.read_schema(file)
    if field not in schema.names:
        raise UserError(
            f"{path}: found no column {quote(field)} (its columns: {', '.join(schema.names)});"
            " name the column with the text by --text-field"
        )
    column_type = schema.field(field).type
    if pyarrow.types.is_dictionary(column_type):
        column_type = column_type.value_type
    if not (pyarrow.types.is_string(column_type) or pyarrow.types.is_large_string(column_type)):
        raise UserError(f"{path}: the column {quote(field)} holds {column_type}; expected strings")


def write_shard(
    path: Path,
    form: str,
    texts: ShardTexts,
    entity_lists: EntityLists,
    granularity: Granularity = WORDS,
) -> None:
    """Writes texts with their entities to a file.

    JSON Lines have the fields of each text and `entities`. CoNLL has tokens and tags, after the id
    of the text as a comment.

    Args:
      path: the file.
      form: jsonl, conll or parquet.
      texts: the texts with their fields.
      entity_lists: the entities of each text.
      granularity: how fine the model's tokens are, for conll.
    """
    if form == "parquet":
        _write_parquet(path, texts, entity_lists)
        return
    with path.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
        for text, record, entities in zip(texts.texts, _records(texts), entity_lists, strict=True):
            if form == "jsonl":
                entity_objects = output_formats.json_entities(entities)
                file.write(_to_json({**record, _ENTITIES: entity_objects}) + "\n")
                continue
            if record.get(_ID) is not None:
                file.write(f"# id = {' '.join(str(record[_ID]).split())}\n")
            file.writelines(output_formats.conll([(text, entities)], granularity))


def _format_of_name(path: str) -> str:
    if path.lower().endswith((".parquet", ".pq")):
        return PARQUET
    if path.lower().endswith((".csv", ".tsv")):
        raise UserError(
            f"{path}: found a table with columns; expected one text a line, JSON Lines, or Parquet. Convert it to JSON Lines"
            " with a field for the text, or take its lines as they are with --input-format text"
        )
    return JSONL if ending_of(path) in JSON_ENDINGS else TEXT


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


def _lines(file: IO[bytes], shard: Shard, longest: int) -> Iterator[bytes | None]:
    """The lines that begin in the shard; None for a line of more than `longest` bytes, which is skipped in pieces."""
    offset = shard.first
    if offset:
        file.seek(offset - 1)
        offset += _skip_line(file) - 1
    while offset < shard.end:
        line = file.readline(longest)
        if not line:
            return
        is_first, offset = offset == 0, offset + len(line)
        if len(line) == longest and not line.endswith(b"\n") and (skipped := _skip_line(file)):
            offset += skipped
            yield None
        else:
            yield line.removeprefix(_BOM) if is_first else line


def _skip_line(file: IO[bytes]) -> int:
    """Skips to the next line. Returns the number of bytes skipped."""
    skipped = 0
    while piece := file.readline(_SKIP_BYTES):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _parse_line(line: bytes | None, source: InputFormat) -> Mapping[str, Any]:
    """The fields of a line. Raises `InvalidRecord` if it has no usable text."""
    if line is None:
        raise InvalidRecord(
            f"a line of more than {source.longest_line:,} bytes", "shorter lines; see --longest"
        )
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(
            f"byte 0x{line[error.start]:02X} at position {error.start + 1} of the line",
            "text in UTF-8",
        ) from None
    if source.form != JSONL:
        return {"text": _check_text(text.rstrip("\r\n"), source)}
    record = parse_json(text)
    expected = f"an object with {quote(source.field)}"
    if not isinstance(record, dict):
        raise InvalidRecord(f"{kind_of(record)}, {quote(record)}", expected)
    if source.field not in record:
        keys = quote(", ".join(record))
        raise InvalidRecord(f"an object without it (its keys: {keys})", expected)
    _check_text(record[source.field], source)
    return record


def _check_text(text: Any, source: InputFormat) -> str:
    if not isinstance(text, str):
        raise InvalidRecord(f"{kind_of(text)} as text, {quote(text)}", "a string")
    if len(text) > source.longest:
        raise InvalidRecord(
            f"a text of {len(text):,} characters", f"{source.longest:,} at most; see --longest"
        )
    refuse_surrogates(text, "the text")
    return text


def _read_parquet(shard: Shard, source: InputFormat) -> ShardTexts:
    import pyarrow

    table = _read_rows(shard)
    column = table.column(source.field)
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(pyarrow.large_string())
    kept_rows, texts, bad = [], [], []
    for number, value in enumerate(column, start=1):
        try:
            texts.append(_check_text(value.as_py(), source))
            kept_rows.append(number - 1)
        except UnicodeDecodeError as error:
            byte = f"byte 0x{error.object[error.start]:02X} in the text"
            bad.append(BadLine(number, byte, "text in UTF-8", ""))
        except InvalidRecord as error:
            bad.append(BadLine(number, error.found, error.expected, ""))
    lines = table.num_rows
    table = table.take(kept_rows) if bad else table
    return ShardTexts(shard, texts, source.field, (), bad, lines, table)


def _read_rows(shard: Shard) -> "pyarrow.Table":
    """The rows of a shard. Reads from the beginning of its first row group, a batch at a time."""
    import pyarrow
    from pyarrow import parquet

    with remote.open_binary(shard.path) as source, parquet.ParquetFile(source) as file:
        groups: list[int] = []
        first_row = offset = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if offset < shard.end and offset + rows > shard.first:
                first_row = first_row if groups else offset
                groups.append(group)
            offset += rows
        batches, offset = [], first_row
        for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups):
            start, end = max(shard.first - offset, 0), min(shard.end - offset, batch.num_rows)
            if start < end:
                batches.append(batch.slice(start, end - start))
            offset += batch.num_rows
            if offset >= shard.end:
                break
        return pyarrow.Table.from_batches(batches, file.schema_arrow)


def _write_parquet(path: Path, texts: ShardTexts, entity_lists: EntityLists) -> None:
    """Writes the columns of Parquet input and `entities`.

    Other input gets the columns `id`, `text` and `fields`, the other fields as JSON, so that all
    shards have the same columns.
    """
    import pyarrow
    from pyarrow import parquet

    table = texts.table if texts.table is not None else _table_of_records(texts)
    string, integer = pyarrow.string(), pyarrow.int64()
    types = {"text": string, "type": string, "start": integer, "end": integer}
    entity = pyarrow.struct({**types, "score": pyarrow.float64()}.items())
    objects = [output_formats.json_entities(entities) for entities in entity_lists]
    if _ENTITIES in table.column_names:
        table = table.drop([_ENTITIES])
    column = pyarrow.array(objects, pyarrow.list_(entity))
    parquet.write_table(table.append_column(_ENTITIES, column), path)


def _table_of_records(texts: ShardTexts) -> "pyarrow.Table":
    import pyarrow

    ids, others = [], []
    for record in texts.fields:
        other = {key: value for key, value in record.items() if key not in (_ID, texts.field)}
        others.append(_escape_surrogates(_to_json(other)) if other else None)
        ids.append(_id_as_text(record.get(_ID)))
    columns = {_ID: ids, "text": texts.texts, "fields": others}
    schema = pyarrow.schema([(name, pyarrow.string()) for name in columns])
    return pyarrow.table(columns, schema)


def _records(texts: ShardTexts) -> Iterator[Mapping[str, Any]]:
    if texts.table is None:
        yield from texts.fields
        return
    for batch in texts.table.to_batches(1024):
        yield from batch.to_pylist()


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_to_text)


def _to_text(value: Any) -> str:
    """Values of Parquet that JSON lacks, as text: times, decimals, bytes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _id_as_text(value: Any) -> str | None:
    if value is None:
        return None
    return _escape_surrogates(value if isinstance(value, str) else _to_json(value))


def _escape_surrogates(text: str) -> str:
    """Escapes lone surrogates, which JSON can hold and Parquet cannot."""
    return text.encode("utf-8", "backslashreplace").decode()
