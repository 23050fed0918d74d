"""JSON and Parquet records of tokens: Hugging Face datasets and GLiNER.

    Hugging Face  {"id": "0", "tokens": ["Ada", "met", …], "ner_tags": ["B-PER", "O", …]}
                  {"tokens": […], "ner_tags": [1, 0, …]}
    GLiNER        {"tokenized_text": ["Ada", "met", …], "ner": [[0, 0, "PER"], …]}

The names of integer tags come from the setting `label_names`; without it from the Parquet file's own features, then from
`dataset_info.json` or `dataset_infos.json` in the folder of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Row, Sample, Source, Survey, rejected
from components.corpus.formats.jsonl import (
    JsonFormat,
    check_document,
    check_id,
    refuse_surrogates,
    unexpected,
)
from components.corpus.records import InvalidRecord, Read, TokenRecord, quote
from components.errors import UserError
from components.ner.sentence import Span

TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("ner_tags", "ner", "tags", "labels", "ner_labels", "label")
_ROW_GROUP = 10_000
_INFO_FILES = ("dataset_info.json", "dataset_infos.json")
_KNOWN_KEYS = {*TOKEN_KEYS, *TAG_KEYS, "id", "document"}


class HuggingFaceTokens(JsonFormat):
    """Records of `tokens` and `ner_tags`, as the `datasets` library writes them."""

    name = "hf"
    title = "Hugging Face tokens and ner_tags"
    keeps = frozenset({"documents", "ids", "metadata"})

    def detect(self, sample: Sample) -> bool:
        """The first record has an array of tokens and an array of tags."""
        item = sample.json_item
        return isinstance(item, dict) and _keys_of(item) is not None

    def survey(self, source: Source) -> Survey:
        """Finds the names of integer tags, and counts the tags."""
        return super().survey(replace(source, layout={"label_names": label_names(source)}))

    def read_value(self, value: dict[str, Any], row: Row, source: Source) -> Iterator[Record]:
        """The sentence of a record."""
        yield _token_record(value, row, source)

    def entry(self, item: Read, number: int) -> Mapping[str, object]:
        """Tokens, and IOB2 tags as strings."""
        document = {"document": item.sentence.document} if item.sentence.document else {}
        return {
            "id": item.id or str(number - 1),
            "tokens": list(item.sentence.tokens),
            "ner_tags": item.sentence.tags,
            **document,
            **item.metadata,
        }


class ParquetTokens(Format):
    """The same records in a Parquet file."""

    name = "parquet"
    title = "Parquet of tokens and ner_tags"
    endings = ("parquet",)
    keeps = frozenset({"documents", "ids"})
    binary = True

    def detect(self, sample: Sample) -> bool:
        """The file begins with Parquet's magic number."""
        return sample.head.startswith(b"PAR1")

    def survey(self, source: Source) -> Survey:
        """Finds the names of integer tags, and counts the tags."""
        names = label_names(source, _open_parquet(source.path).schema_arrow.metadata or {})
        return super().survey(replace(source, layout={"label_names": names}))

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the sentences of the file; line numbers are row numbers, from 1."""
        batches = _open_parquet(source.path).iter_batches()
        entries = chain.from_iterable(batch.to_pylist() for batch in batches)
        for number, entry in enumerate(entries, start=1):
            try:
                yield _token_record(entry, (number, ""), source)
            except InvalidRecord as error:
                yield rejected(error, source.path, [(number, "")])

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes IOB2 tags as strings, in groups of rows."""
        import pyarrow
        from pyarrow import parquet

        string = pyarrow.string()
        columns = {"id": string, "document": string}
        columns |= dict.fromkeys(("tokens", "ner_tags"), pyarrow.list_(string))
        schema = pyarrow.schema(list(columns.items()))
        entries = (
            {
                "id": item.id or str(index),
                "document": item.sentence.document,
                "tokens": item.sentence.tokens,
                "ner_tags": item.sentence.tags,
            }
            for index, item in enumerate(items)
        )
        with parquet.ParquetWriter(file, schema) as writer:
            while rows := list(islice(entries, _ROW_GROUP)):
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))


class GlinerJson(JsonFormat):
    """GLiNER's training data: tokens and spans of tokens, the last token included."""

    name = "gliner"
    title = "GLiNER JSON"
    keeps = frozenset({"ids", "metadata"})
    as_array = True

    def detect(self, sample: Sample) -> bool:
        """The first record has `tokenized_text` and `ner`."""
        item = sample.json_item
        return isinstance(item, dict) and "tokenized_text" in item and "ner" in item

    def read_value(self, value: dict[str, Any], row: Row, source: Source) -> Iterator[Record]:  # noqa: ARG002
        """The sentence of a record."""
        tokens = _strings(value.get("tokenized_text"), "tokenized_text")
        spans = _gliner_spans(value.get("ner"), len(tokens))
        metadata = {key: value[key] for key in value if key not in ("tokenized_text", "ner", "id")}
        yield TokenRecord(tokens, (), (row,), "", check_id(value), spans, metadata or None)

    def entry(self, item: Read, number: int) -> Mapping[str, object]:
        """Tokens, and spans with the last token included."""
        return {
            "tokenized_text": list(item.sentence.tokens),
            "ner": [[span.start, span.end - 1, span.type] for span in item.sentence.spans],
            "id": item.id or str(number - 1),
            **item.metadata,
        }


def label_names(source: Source, metadata: Mapping[bytes, bytes] | None = None) -> list[str]:
    """Returns the names of integer labels, [] if they are unknown.

    Args:
      source: the file; `dataset_info.json` is looked for in its folder.
      metadata: the metadata of a Parquet schema, in which `datasets` keeps the features.
    """
    if source.options.label_names:
        return [name.strip() for name in source.options.label_names.split(",")]
    features = metadata.get(b"huggingface") if metadata else None
    if features and (names := _class_names(json.loads(features))):
        return names
    for info in _INFO_FILES:
        path = os.path.join(os.path.dirname(source.path), info)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                try:
                    names = _class_names(json.load(file))
                except ValueError as error:
                    raise UserError(f"{path}: found no valid JSON ({error})") from None
            if names:
                return names
    return []


def _class_names(value: Any, of_tags: bool = False) -> list[str]:
    """Searches nested JSON for the names of the tags' ClassLabel feature.

    Args:
      value: the features, or a part of them.
      of_tags: whether the part belongs to the feature of the tags.
    """
    if isinstance(value, dict):
        of_tags = of_tags or value.get("name") in TAG_KEYS
        names = value.get("names") if of_tags else None
        if isinstance(names, dict):  # YAML headers write an object from number to name
            return [str(names[key]) for key in sorted(names, key=int)]
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
        keys = sorted(value, key=lambda key: TAG_KEYS.index(key) if key in TAG_KEYS else 99)
        children = [(value[key], of_tags or key in TAG_KEYS) for key in keys]
    else:
        children = [(child, of_tags) for child in value] if isinstance(value, list) else []
    return next((names for child in children if (names := _class_names(*child))), [])


def _open_parquet(path: str) -> Any:
    """The Parquet file. Raises UserError if it is damaged, or has no columns of tokens and tags."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(
            f"{path}: found a damaged Parquet file ({error}); expected one with the columns tokens and ner_tags"
        ) from error
    columns = table.schema_arrow.names
    if not _key_in(columns, TOKEN_KEYS) or not _key_in(columns, TAG_KEYS):
        raise UserError(
            f"{path}: found the columns {', '.join(columns)}; expected columns of tokens"
            f" ({', '.join(TOKEN_KEYS)}) and tags ({', '.join(TAG_KEYS)})"
        )
    return table


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


def _token_record(entry: Mapping[str, Any], row: Row, source: Source) -> TokenRecord:
    keys = _keys_of(entry)
    if keys is None:
        raise InvalidRecord(
            f"an object with the keys {quote(', '.join(entry))}",
            'an object with "tokens" and "ner_tags"',
        )
    tokens = _strings(entry[keys[0]], keys[0])
    tags = [_tag_name(tag, source) for tag in entry[keys[1]]]
    if len(tokens) != len(tags):
        raise InvalidRecord(f"{len(tokens)} tokens and {len(tags)} tags", "a tag for each token")
    if not tokens:
        raise InvalidRecord("a sentence without tokens", "at least one token")
    metadata = {key: entry[key] for key in entry if key not in _KNOWN_KEYS}
    return TokenRecord(
        tokens, tags, (row,), check_document(entry), check_id(entry), (), metadata or None
    )


def _tag_name(tag: Any, source: Source) -> str:
    if isinstance(tag, str):
        return tag
    if isinstance(tag, bool) or not isinstance(tag, int):
        raise unexpected(tag, "tag", "a string or an integer")
    names = source.layout["label_names"]
    if not names:
        raise UserError(
            f"{source.path}: found integers as tags, and no names for them; expected a dataset_info.json"
            " in its folder, or the names in their order: --set label_names=O,B-PER,I-PER,…"
        )
    if not 0 <= tag < len(names):
        raise InvalidRecord(f"the tag {tag}", f"a number from 0 to {len(names) - 1}")
    return names[tag]


def _strings(value: Any, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise unexpected(value, key, "an array of strings")
    for token in value:
        refuse_surrogates(token, "a token")
    return value


def _gliner_spans(value: Any, tokens: int) -> list[Span]:
    if not isinstance(value, list):
        raise unexpected(value, "ner", "an array of spans")
    spans = []
    for item in value:
        match item:
            case [int(start), int(last), str(label), *_]:
                pass
            case _:
                raise InvalidRecord(f"the span {quote(item)}", "[first token, last token, label]")
        if not 0 <= start <= last < tokens:
            raise InvalidRecord(
                f"the span {quote(item)} in a sentence of {tokens} tokens",
                f"indices from 0 to {tokens - 1}, the last token included",
            )
        spans.append(Span(start, last + 1, label))
    return spans
