"""JSON and Parquet records of tokens: Hugging Face datasets and GLiNER.

    Hugging Face  {"id": "0", "tokens": ["Ada", "met", …], "ner_tags": ["B-PER", "O", …]}
                  {"tokens": […], "ner_tags": [1, 0, …]}
    GLiNER        {"tokenized_text": ["Ada", "met", …], "ner": [[0, 0, "PER"], …]}

Integer tags get their names from, in this order: the setting `label_names`, the Parquet file's own
features, and `dataset_info.json` or `dataset_infos.json` in the folder of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, rejected
from components.corpus.formats.json_items import read_items
from components.corpus.formats.jsonl import check_document, kind_of, refuse_surrogates
from components.corpus.records import InvalidRecord, Notice, Read, TokenRecord, quote
from components.errors import UserError
from components.ner.sentence import Span
from components.ner.tags import tags_of

TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("ner_tags", "ner", "tags", "labels", "ner_labels", "label")
_ROW_GROUP = 10_000
_INFO_FILES = ("dataset_info.json", "dataset_infos.json")
_KNOWN_KEYS = {*TOKEN_KEYS, *TAG_KEYS, "id", "document"}


class HuggingFaceTokens(Format):
    """Records of `tokens` and `ner_tags`, as the `datasets` library writes them."""

    name = "hf"
    title = "Hugging Face tokens and ner_tags"
    holds = "tokens"
    keeps = frozenset({"documents", "ids", "metadata"})

    def detect(self, sample: Sample) -> bool:
        """The first record has an array of tokens and an array of tags."""
        item = sample.json_item
        return isinstance(item, dict) and _keys_of(item) is not None

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file."""
        names = label_names(source)
        for value, row in read_items(source.path, source.options.encoding):
            try:
                if isinstance(value, InvalidRecord):
                    raise value
                if not isinstance(value, dict):
                    raise InvalidRecord(f"{kind_of(value)}, {quote(value)}", "an object")
                yield _token_record(value, row, names, source.path)
            except InvalidRecord as error:
                yield rejected(error, source.path, [row])

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes JSON Lines with IOB2 tags as strings."""
        count = 0
        for item in items:
            sentence, count = item.sentence, count + 1
            entry: dict[str, Any] = {
                "id": _id_of(item, count),
                "tokens": list(sentence.tokens),
                "ner_tags": tags_of(sentence.spans, len(sentence.tokens), "IOB2"),
            }
            if sentence.document:
                entry["document"] = sentence.document
            file.write(json.dumps({**entry, **_metadata_of(item)}, ensure_ascii=False) + "\n")
        return count


class ParquetTokens(Format):
    """The same records in a Parquet file."""

    name = "parquet"
    title = "Parquet of tokens and ner_tags"
    endings = ("parquet",)
    holds = "tokens"
    keeps = frozenset({"documents", "ids"})
    binary = True

    def detect(self, sample: Sample) -> bool:
        """The file begins with Parquet's magic number."""
        return sample.head.startswith(b"PAR1")

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file; line numbers are row numbers, from 1."""
        import pyarrow
        from pyarrow import parquet

        try:
            table = parquet.ParquetFile(source.path)
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(
                f"{source.path}: found a damaged Parquet file ({error}); expected one with the"
                " columns tokens and ner_tags"
            ) from error
        columns = table.schema_arrow.names
        tokens, tags = _key_in(columns, TOKEN_KEYS), _key_in(columns, TAG_KEYS)
        if not tokens or not tags:
            raise UserError(
                f"{source.path}: found the columns {', '.join(columns)}; expected columns of tokens"
                f" ({', '.join(TOKEN_KEYS)}) and tags ({', '.join(TAG_KEYS)})"
            )
        names = label_names(source, table.schema_arrow.metadata or {})
        number = 0
        for batch in table.iter_batches():
            for entry in batch.to_pylist():
                number += 1
                row = (number, "")
                try:
                    yield _token_record(entry, row, names, source.path)
                except InvalidRecord as error:
                    yield rejected(error, source.path, [row])

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes IOB2 tags as strings, in groups of rows."""
        import pyarrow
        from pyarrow import parquet

        strings = pyarrow.list_(pyarrow.string())
        schema = pyarrow.schema(
            [
                ("id", pyarrow.string()),
                ("document", pyarrow.string()),
                ("tokens", strings),
                ("ner_tags", strings),
            ]
        )
        count = 0
        with parquet.ParquetWriter(file, schema) as writer:
            rows: list[dict[str, Any]] = []
            for item in items:
                count += 1
                sentence = item.sentence
                tags = tags_of(sentence.spans, len(sentence.tokens), "IOB2")
                rows.append(
                    {
                        "id": _id_of(item, count),
                        "document": sentence.document,
                        "tokens": list(sentence.tokens),
                        "ner_tags": list(tags),
                    }
                )
                if len(rows) == _ROW_GROUP:
                    writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                    rows = []
            if rows:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))
        return count


class GlinerJson(Format):
    """GLiNER's training data: tokens and spans of tokens, the last token included."""

    name = "gliner"
    title = "GLiNER JSON"
    holds = "tokens"
    keeps = frozenset({"ids", "metadata"})

    def detect(self, sample: Sample) -> bool:
        """The first record has `tokenized_text` and `ner`."""
        item = sample.json_item
        return isinstance(item, dict) and "tokenized_text" in item and "ner" in item

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file."""
        for value, row in read_items(source.path, source.options.encoding):
            try:
                if isinstance(value, InvalidRecord):
                    raise value
                tokens = _strings(value.get("tokenized_text"), "tokenized_text")
                spans, dropped = disjoint_spans(_gliner_spans(value.get("ner"), len(tokens)))
                if dropped:
                    yield Notice(
                        "spans that overlap a longer one, left out", source.path, row[0], dropped
                    )
                metadata = {
                    key: value[key] for key in value if key not in ("tokenized_text", "ner", "id")
                }
                yield TokenRecord(
                    tokens, (), (row,), "", str(value.get("id", "")), spans, metadata or None
                )
            except InvalidRecord as error:
                yield rejected(error, source.path, [row])

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes one array of all records."""
        count = 0
        file.write("[")
        for item in items:
            sentence, count = item.sentence, count + 1
            entry = {
                "tokenized_text": list(sentence.tokens),
                "ner": [[span.start, span.end - 1, span.type] for span in sentence.spans],
                "id": _id_of(item, count),
                **_metadata_of(item),
            }
            file.write((",\n" if count > 1 else "\n") + json.dumps(entry, ensure_ascii=False))
        file.write("\n]\n")
        return count


def disjoint_spans(spans: Sequence[Span]) -> tuple[tuple[Span, ...], int]:
    """Keeps the longest of overlapping spans. Returns the kept spans and how many were dropped.

    >>> disjoint_spans([Span(0, 3, "ORG"), Span(1, 2, "LOC")])
    ((Span(start=0, end=3, type='ORG'),), 1)
    """
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda span: (span.start - span.end, span)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept)), len(set(spans)) - len(kept)


def label_names(source: Source, metadata: Mapping[bytes, bytes] | None = None) -> list[str]:
    """Returns the names of integer labels, [] if they are unknown.

    Args:
      source: the file; `dataset_info.json` is looked for beside it.
      metadata: the metadata of a Parquet schema, in which `datasets` keeps the features.
    """
    if source.options.label_names:
        return [name.strip() for name in source.options.label_names.split(",")]
    features = metadata.get(b"huggingface") if metadata else None
    if features:
        names = _class_names(json.loads(features))
        if names:
            return names
    folder = os.path.dirname(source.path)
    for name in _INFO_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                try:
                    names = _class_names(json.load(file))
                except ValueError as error:
                    raise UserError(f"{path}: found no valid JSON ({error})") from None
            if names:
                return names
    return []


def _class_names(value: Any) -> list[str]:
    """Searches nested JSON for the names of the tags' ClassLabel feature."""
    if isinstance(value, dict):
        for key in TAG_KEYS:
            if key in value and (names := _first_names(value[key])):
                return names
        for child in value.values():
            if names := _class_names(child):
                return names
    if isinstance(value, list):
        for child in value:
            is_tags = isinstance(child, dict) and child.get("name") in TAG_KEYS
            if is_tags and (names := _first_names(child)):
                return names
            if names := _class_names(child):
                return names
    return []


def _first_names(value: Any) -> list[str]:
    """The first list of names in a feature; YAML headers write it as an object from number to name."""
    if isinstance(value, dict):
        names = value.get("names")
        if isinstance(names, dict):
            return [str(names[key]) for key in sorted(names, key=int)]
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
        for child in value.values():
            if found := _first_names(child):
                return found
    return []


def _key_in(keys: Iterable[str], candidates: Sequence[str]) -> str | None:
    present = set(keys)
    return next((key for key in candidates if key in present), None)


def _keys_of(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """The keys of tokens and tags, None if the record does not have both as arrays."""
    arrays = [key for key, value in item.items() if isinstance(value, list)]
    tokens, tags = _key_in(arrays, TOKEN_KEYS), _key_in(arrays, TAG_KEYS)
    if tokens is None or tags is None or any(isinstance(token, dict) for token in item[tokens]):
        return None
    return tokens, tags


def _token_record(
    entry: Mapping[str, Any], row: tuple[int, str], names: Sequence[str], path: str
) -> TokenRecord:
    keys = _keys_of(entry)
    if keys is None:
        raise InvalidRecord(
            f"an object with the keys {quote(', '.join(entry))}",
            'an object with "tokens" and "ner_tags"',
        )
    tokens = _strings(entry[keys[0]], keys[0])
    tags = [_tag_name(tag, names, path) for tag in entry[keys[1]]]
    if len(tokens) != len(tags):
        raise InvalidRecord(f"{len(tokens)} tokens and {len(tags)} tags", "a tag for each token")
    if not tokens:
        raise InvalidRecord("a sentence without tokens", "at least one token")
    metadata = {key: entry[key] for key in entry if key not in _KNOWN_KEYS}
    return TokenRecord(
        tokens,
        tags,
        (row,),
        check_document(entry.get("document", "")),
        str(entry.get("id", "")),
        metadata=metadata or None,
    )


def _tag_name(tag: Any, names: Sequence[str], path: str) -> str:
    if isinstance(tag, str):
        return tag
    if isinstance(tag, bool) or not isinstance(tag, int):
        raise InvalidRecord(f"{kind_of(tag)} as tag, {quote(tag)}", "a string or an integer")
    if not names:
        raise UserError(
            f"{path}: found integers as tags, and no names for them; expected a dataset_info.json"
            " beside the file, or the names in their order: --set label_names=O,B-PER,I-PER,…"
        )
    if not 0 <= tag < len(names):
        raise InvalidRecord(f"the tag {tag}", f"a number from 0 to {len(names) - 1}")
    return names[tag]


def _strings(value: Any, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRecord(f"{kind_of(value)} as {key}, {quote(value)}", "an array of strings")
    for token in value:
        refuse_surrogates(token, "a token")
    return value


def _gliner_spans(value: Any, tokens: int) -> list[Span]:
    if not isinstance(value, list):
        raise InvalidRecord(f"{kind_of(value)} as ner, {quote(value)}", "an array of spans")
    spans = []
    for item in value:
        if (
            not isinstance(item, list)
            or len(item) < 3
            or not all(isinstance(index, int) for index in item[:2])
            or not isinstance(item[2], str)
        ):
            raise InvalidRecord(f"the span {quote(item)}", "[first token, last token, label]")
        start, end, label = item[0], item[1] + 1, item[2]
        if not 0 <= start < end <= tokens:
            raise InvalidRecord(
                f"the span {quote(item)} in a sentence of {tokens} tokens",
                f"indices from 0 to {tokens - 1}, the last token included",
            )
        spans.append(Span(start, end, label))
    return spans


def _id_of(item: Read, count: int) -> str:
    return (item.record.id if item.record else "") or str(count - 1)


def _metadata_of(item: Read) -> Mapping[str, object]:
    return (item.record.metadata if item.record else None) or {}
