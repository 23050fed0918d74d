"""Label Studio's exports JSON and JSON_MIN.

    JSON      {"data": {"text": …}, "annotations": [{"result": [{"type": "labels",
               "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}}, …]}]}
    JSON_MIN  {"text": …, "label": [{"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}, …],
               "annotator": 1, "annotation_id": 7}

Of several annotations of a task, the ground truth is read; without one, the annotation that was
updated last. Cancelled annotations and predictions are not labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, rejected
from components.corpus.formats.json_items import read_items
from components.corpus.formats.jsonl import char_span, check_span, check_text, kind_of
from components.corpus.records import (
    CharSpan,
    InvalidRecord,
    Notice,
    Read,
    TextRecord,
    Unused,
    quote,
)
from components.ner.tokens import text_of

_MIN_KEYS = {"annotation_id", "annotator", "lead_time"}
_SEVERAL = "tasks with several annotations, of which the ground truth or the newest is read"
_OTHER_RESULTS = "results that are not labels of text (choices, relations, …), left out"


class LabelStudioJson(Format):
    """Tasks as Label Studio exports them."""

    name = "labelstudio"
    title = "Label Studio JSON"
    holds = "texts"
    keeps = frozenset({"documents", "ids", "metadata", "texts"})

    def detect(self, sample: Sample) -> bool:
        """The first task has `data` and `annotations`, or the keys of JSON_MIN."""
        item = sample.json_item
        if not isinstance(item, dict):
            return False
        annotations = item.get("annotations", item.get("completions"))
        return (isinstance(annotations, list) and isinstance(item.get("data"), dict)) or (
            len(_MIN_KEYS & set(item)) >= 2
        )

    def read(self, source: Source) -> Iterator[Record]:
        """Yields the labelled texts of the file."""
        for value, row in read_items(source.path, source.options.encoding):
            try:
                if isinstance(value, InvalidRecord):
                    raise value
                if not isinstance(value, dict):
                    raise InvalidRecord(f"{kind_of(value)}, {quote(value)}", "a task, an object")
                if isinstance(value.get("data"), dict):
                    yield from _read_task(value, row, source.path)
                else:
                    yield from _read_min_task(value, row, source.path)
            except InvalidRecord as error:
                yield rejected(error, source.path, [row])

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes an array of tasks with one annotation each."""
        count = 0
        file.write("[")
        for item in items:
            count += 1
            text, offsets = text_of(item.sentence)
            results = []
            for index, span in enumerate(item.sentence.spans):
                start, end, label = char_span(span, text, offsets, item.sentence)
                value = {"start": start, "end": end, "text": text[start:end], "labels": [label]}
                results.append(
                    {
                        "id": f"{count}-{index}",
                        "from_name": "label",
                        "to_name": "text",
                        "type": "labels",
                        "value": value,
                    }
                )
            record = item.record
            data: dict[str, object] = {"text": text}
            if item.sentence.document:
                data["document"] = item.sentence.document
            task: dict[str, object] = {
                "id": record.id if record and record.id else count,
                "data": data,
                "annotations": [{"result": results}],
            }
            if record and record.metadata:
                task["meta"] = dict(record.metadata)
            file.write((",\n" if count > 1 else "\n") + json.dumps(task, ensure_ascii=False))
        file.write("\n]\n")
        return count


def _read_task(task: Mapping[str, Any], row: tuple[int, str], path: str) -> Iterator[Record]:
    annotations = task.get("annotations", task.get("completions"))
    if not isinstance(annotations, list):
        raise InvalidRecord(f"{kind_of(annotations)} as annotations", "an array of annotations")
    usable = [
        annotation
        for annotation in annotations
        if isinstance(annotation, dict) and not annotation.get("was_cancelled")
    ]
    if not usable:
        if annotations:
            reason = "cancelled"
        elif task.get("predictions"):
            reason = "without annotation, only predictions"
        else:
            reason = "without annotation"
        yield Unused(path, row[0], reason)
        return
    if len(usable) > 1:
        yield Notice(_SEVERAL, path, row[0])
    chosen = max(
        usable,
        key=lambda annotation: (
            bool(annotation.get("ground_truth")),
            str(annotation.get("updated_at") or annotation.get("created_at") or ""),
        ),
    )
    text_key, text = _text_of_task(task["data"])
    spans: list[CharSpan] = []
    others = 0
    for result in chosen.get("result") or ():
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict) and "labels" in value and "start" in value:
            spans.append(_span(value))
        else:
            others += 1
    if others:
        yield Notice(_OTHER_RESULTS, path, row[0], others)
    data = task["data"]
    metadata = {key: data[key] for key in data if key not in (text_key, "document")}
    document = data.get("document", "")
    yield TextRecord(text, spans, (row,), str(document), str(task.get("id", "")), metadata or None)


def _read_min_task(task: Mapping[str, Any], row: tuple[int, str], path: str) -> Iterator[Record]:
    arrays = {
        key: value
        for key, value in task.items()
        if isinstance(value, list)
        and all(isinstance(item, dict) and "labels" in item for item in value)
    }
    text_key, text = _text_of_task({key: task[key] for key in task if key not in arrays})
    spans = [_span(value) for values in arrays.values() for value in values]
    if not arrays and "annotation_id" not in task:
        yield Unused(path, row[0], "without annotation")
        return
    known = {text_key, "id", "document", *arrays}
    metadata = {key: task[key] for key in task if key not in known}
    yield TextRecord(
        text,
        spans,
        (row,),
        str(task.get("document", "")),
        str(task.get("id", "")),
        metadata or None,
    )


def _text_of_task(data: Mapping[str, Any]) -> tuple[str, str]:
    """The key and the text of a task: `text`, or the longest string."""
    if "text" in data:
        return "text", check_text(data["text"])
    strings = {key: value for key, value in data.items() if isinstance(value, str)}
    if not strings:
        raise InvalidRecord(
            f"a task without text (its data: {quote(', '.join(data))})", 'a string under "text"'
        )
    key = max(strings, key=lambda key: len(strings[key]))
    return key, check_text(strings[key])


def _span(value: Mapping[str, Any]) -> CharSpan:
    labels = value.get("labels")
    if not isinstance(labels, list) or len(labels) != 1:
        raise InvalidRecord(f"the labels {quote(labels)} of a span", "one label for each span")
    return check_span(value.get("start"), value.get("end"), labels[0], value.get("text", ""))
