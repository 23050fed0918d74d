"""What is in a shard: its texts with what came with them, and the lines that hold none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Optional

from components.corpus.formats.json_items import parse_json
from components.corpus.formats.jsonl import kind_of, refuse_surrogates
from components.corpus.records import InvalidRecord, quote
from components.errors import UserError
from components.storage import remote
from pipeline.annotation.shards import JSONL, PARQUET, Shard

if TYPE_CHECKING:
    import pyarrow

_BOM = b"\xef\xbb\xbf"
_PIECE = 2**16


@dataclass(frozen=True)
class Reading:
    """How to read.

    `form` is one of `shards.FORMS`, `field` the field or column that holds the text, `longest` the most characters of a text.
    """

    form: str
    field: str
    longest: int

    @property
    def longest_line(self) -> int:
        """Bytes of a line that may hold such a text, each character escaped, and other fields beside it."""
        return 12 * self.longest + 2**20


class LeftOut(NamedTuple):
    """A line without a text that could be used: its number in the shard, from 1, and the line itself, if it is not too long."""

    line: int
    found: str
    expected: str
    raw: str


@dataclass(frozen=True)
class Texts:
    """The texts of a shard in order, each with its fields; of Parquet the rows as they are in place of these.

    `field` is the one that holds the text; `lines` counts what was read, bad lines too.
    """

    shard: Shard
    texts: Sequence[str]
    field: str
    fields: Sequence[Mapping[str, Any]]
    bad: Sequence[LeftOut]
    lines: int
    table: "Optional[pyarrow.Table]" = None


def read(shard: Shard, reading: Reading) -> Texts:
    """Reads a shard; a Parquet one has to have the column (`refuse_without_column`)."""
    if reading.form == PARQUET:
        return _rows(shard, reading)
    fields: list[Mapping[str, Any]] = []
    bad: list[LeftOut] = []
    number = 0
    with remote.opened(shard.path) as file:
        for number, line in enumerate(_lines(file, shard, reading.longest_line), start=1):
            if reading.form == JSONL and line is not None and not line.strip():
                continue
            try:
                fields.append(_fields(line, reading))
            except InvalidRecord as found:
                raw = (line or b"").rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                bad.append(LeftOut(number, found.found, found.expected, raw))
    field = reading.field if reading.form == JSONL else "text"
    return Texts(shard, [one[field] for one in fields], field, fields, bad, number)


def refuse_without_column(path: str, field: str) -> None:
    """Raises UserError for a Parquet file without that column of strings."""
    import pyarrow
    from pyarrow import parquet

    with remote.opened(path) as file:
        schema = parquet.read_schema(file)
    if field not in schema.names:
        raise UserError(
            f"{path}: found no column {quote(field)} (its columns: {', '.join(schema.names)}); name the one with the text"
            " by --text-field"
        )
    kind = schema.field(field).type
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        raise UserError(f"{path}: the column {quote(field)} holds {kind}; expected strings")


def _lines(file: IO[bytes], shard: Shard, longest: int) -> Iterator[Optional[bytes]]:
    """The lines that begin in the shard, None for one of more bytes than `longest`: no more than that is ever in memory."""
    place = shard.first
    if place:
        file.seek(place - 1)
        place += _skip_line(file) - 1
    while place < shard.end:
        line = file.readline(longest)
        if not line:
            return
        at_start, place = place == 0, place + len(line)
        if len(line) == longest and not line.endswith(b"\n") and (rest := _skip_line(file)):
            place += rest
            yield None
        else:
            yield line.removeprefix(_BOM) if at_start else line


def _skip_line(file: IO[bytes]) -> int:
    """Goes behind the next line end, and gives the number of bytes that it passed."""
    passed = 0
    while piece := file.readline(_PIECE):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed


def _fields(line: Optional[bytes], reading: Reading) -> Mapping[str, Any]:
    """The fields of a line, the text among them. Raises `InvalidRecord` where it has none."""
    if line is None:
        raise InvalidRecord(
            f"a line of more than {reading.longest_line:,} bytes", "shorter ones; see --longest"
        )
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(
            f"byte 0x{line[error.start]:02X} at position {error.start + 1} of the line",
            "text in UTF-8",
        ) from None
    if reading.form != JSONL:
        return {"text": _checked(text.rstrip("\r\n"), reading)}
    entry = parse_json(text)
    expected = f"an object with {quote(reading.field)}"
    if not isinstance(entry, dict):
        raise InvalidRecord(f"{kind_of(entry)}, {quote(entry)}", expected)
    if reading.field not in entry:
        raise InvalidRecord(f"an object without it (its keys: {quote(', '.join(entry))})", expected)
    _checked(entry[reading.field], reading)
    return entry


def _checked(text: Any, reading: Reading) -> str:
    if not isinstance(text, str):
        raise InvalidRecord(f"{kind_of(text)} as text, {quote(text)}", "a string")
    if len(text) > reading.longest:
        raise InvalidRecord(
            f"a text of {len(text):,} characters", f"{reading.longest:,} at most; see --longest"
        )
    refuse_surrogates(text, "the text")
    return text


def _rows(shard: Shard, reading: Reading) -> Texts:
    import pyarrow

    table = _table(shard)
    column = table.column(reading.field)
    column = (
        column.cast(pyarrow.large_string()) if pyarrow.types.is_dictionary(column.type) else column
    )
    good, texts, bad = [], [], []
    for number, value in enumerate(column, start=1):
        try:
            texts.append(_checked(value.as_py(), reading))
            good.append(number - 1)
        except UnicodeDecodeError as error:
            bad.append(
                LeftOut(
                    number,
                    f"byte 0x{error.object[error.start]:02X} in the text",
                    "text in UTF-8",
                    "",
                )
            )
        except InvalidRecord as found:
            bad.append(LeftOut(number, found.found, found.expected, ""))
    lines = table.num_rows
    table = table.take(good) if bad else table
    return Texts(shard, texts, reading.field, (), bad, lines, table)


def _table(shard: Shard) -> "pyarrow.Table":
    """The rows of a shard. Of a row group that begins before it the rows before are read too, a batch at a time."""
    import pyarrow
    from pyarrow import parquet

    with remote.opened(shard.path) as source, parquet.ParquetFile(source) as file:
        groups, before, kept, place = [], None, [], 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if place < shard.end and place + rows > shard.first:
                before = place if before is None else before
                groups.append(number)
            place += rows
        place = before or 0
        for batch in file.iter_batches(_PIECE // 16, row_groups=groups):
            start, end = max(shard.first - place, 0), min(shard.end - place, batch.num_rows)
            if start < end:
                kept.append(batch.slice(start, end - start))
            place += batch.num_rows
            if place >= shard.end:
                break
        return pyarrow.Table.from_batches(kept, file.schema_arrow)
