"""How a shard is written: JSON Lines, CoNLL columns or Parquet, with what came with its texts as far as the form holds it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.export import output_formats
from components.export.entity import Entity
from pipeline.annotation.reading import Texts

Found = Sequence[tuple[Entity, ...]]
"""The entities of each text, in order."""

ENTITIES, ID = "entities", "id"


def write(path: Path, form: str, texts: Texts, found: Found) -> None:
    """Writes texts with their entities to a file, in one of `FORMS`."""
    _WRITERS[form](path, texts, found)


def _jsonl(path: Path, texts: Texts, found: Found) -> None:
    """Each text's fields as they came, and `entities`."""
    with path.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
        for fields, entities in zip(_fields(texts), found, strict=True):
            file.write(_json({**fields, ENTITIES: output_formats.json_entities(entities)}) + "\n")


def _conll(path: Path, texts: Texts, found: Found) -> None:
    """Tokens and tags; a text's id as a comment before it."""
    with path.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
        for text, fields, entities in zip(texts.texts, _fields(texts), found, strict=True):
            if fields.get(ID) is not None:
                file.write(f"# id = {' '.join(str(fields[ID]).split())}\n")
            file.writelines(output_formats.conll([(text, entities)]))


def _parquet(path: Path, texts: Texts, found: Found) -> None:
    """The rows as they came, and `entities`; of other forms `id`, `text`, and as JSON in `fields` whatever else there was.

    So that every shard has the same columns, whatever is in its lines.
    """
    import pyarrow
    from pyarrow import parquet

    table = texts.table
    if table is None:
        others = [
            {key: value for key, value in one.items() if key not in (ID, texts.field)}
            for one in texts.fields
        ]
        columns = {
            ID: [_as_text(one.get(ID)) for one in texts.fields],
            "text": texts.texts,
            "fields": [_escaped(_json(one)) if one else None for one in others],
        }
        table = pyarrow.table(
            columns, pyarrow.schema([(name, pyarrow.string()) for name in columns])
        )
    entity = pyarrow.struct(
        [("text", pyarrow.string()), ("type", pyarrow.string())]
        + [("start", pyarrow.int64()), ("end", pyarrow.int64()), ("score", pyarrow.float64())]
    )
    column = pyarrow.array(
        [output_formats.json_entities(entities) for entities in found], pyarrow.list_(entity)
    )
    if ENTITIES in table.column_names:
        table = table.drop([ENTITIES])
    parquet.write_table(table.append_column(ENTITIES, column), path)


_WRITERS: Mapping[str, Callable[[Path, Texts, Found], None]] = {
    "jsonl": _jsonl,
    "conll": _conll,
    "parquet": _parquet,
}
FORMS = tuple(_WRITERS)


def _fields(texts: Texts) -> Iterator[Mapping[str, Any]]:
    if texts.table is None:
        yield from texts.fields
        return
    for batch in texts.table.to_batches(1024):
        yield from batch.to_pylist()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    """What Parquet holds and JSON does not, as text: times, decimals, bytes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _as_text(value: Any) -> str | None:
    return None if value is None else _escaped(value if isinstance(value, str) else _json(value))


def _escaped(text: str) -> str:
    """The text with lone surrogates, which only JSON can hold, written out."""
    return text.encode("utf-8", "backslashreplace").decode()
