"""Label Studio's exports JSON and JSON_MIN.

    JSON      {"data": {"text": …}, "annotations": [{"result": [{"type": "labels",
               "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}}, …]}]}
    JSON_MIN  {"text": …, "label": [{"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}, …],
               "annotator": 1, "annotation_id": 7}

Of several annotations of a task, the ground truth is read; without one, the annotation that was updated last. Cancelled
annotations and predictions are not labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.corpus.formats.base import Record, Row, Sample, Source
from components.corpus.formats.jsonl import (
    JsonFormat,
    check_document,
    check_id,
    check_span,
    check_text,
    text_and_spans,
    unexpected,
)
from components.corpus.records import (
    CharSpan,
    InvalidRecord,
    Notice,
    Read,
    TextRecord,
    Unused,
    quote,
)

_MIN_KEYS = {"annotation_id", "annotator", "lead_time"}
_SEVERAL = "tasks with several annotations, of which the ground truth or the newest is read"
_OTHER_RESULTS = "results that are not labels of text (choices, relations, …), left out"


class LabelStudioJson(JsonFormat):
    """Tasks as Label Studio exports them."""

    name = "labelstudio"
    title = "Label Studio JSON"
    holds = "texts"
    keeps = frozenset({"documents", "ids", "metadata", "texts"})
    as_array = True

    def detect(self, sample: Sample) -> bool:
        """The first task has `data` and `annotations`, or the keys of JSON_MIN."""
        item = sample.json_item
        if not isinstance(item, dict):
            return False
        annotations = item.get("annotations", item.get("completions"))
        return (isinstance(annotations, list) and isinstance(item.get("data"), dict)) or (
            len(_MIN_KEYS & set(item)) >= 2
        )

    def read_value(self, value: dict[str, Any], row: Row, source: Source) -> Iterator[Record]:
        """The text of a task with its labels, or why it is not used."""
        is_task = isinstance(value.get("data"), dict)
        data = value["data"] if is_task else value
        if is_task:
            annotations = value.get("annotations", value.get("completions"))
            if not isinstance(annotations, list):
                raise unexpected(annotations, "annotations", "an array of annotations")
            usable = [
                annotation
                for annotation in annotations
                if isinstance(annotation, dict) and not annotation.get("was_cancelled")
            ]
            if not usable:
                yield Unused(source.path, row[0], _reason(value, annotations))
                return
            if len(usable) > 1:
                yield Notice(_SEVERAL, source.path, row[0])
            values, others = _labels(max(usable, key=_rank))
            if others:
                yield Notice(_OTHER_RESULTS, source.path, row[0], others)
            used = {"document"}
        else:
            arrays = [key for key in data if _is_labels(data[key])]
            if not arrays and "annotation_id" not in data:
                yield Unused(source.path, row[0], "without annotation")
                return
            values = [item for key in arrays for item in data[key]]
            used = {"document", "id", *arrays}
        text_key = _text_key({key: data[key] for key in data if key not in used})
        metadata = {key: data[key] for key in data if key not in {text_key, *used}}
        if is_task and isinstance(value.get("meta"), dict):
            metadata |= value["meta"]
        yield TextRecord(
            check_text(data[text_key]),
            [_span(item) for item in values],
            (row,),
            check_document(data),
            check_id(value),
            metadata or None,
        )

    def entry(self, item: Read, number: int) -> Mapping[str, object]:
        """A task with one annotation."""
        text, spans = text_and_spans(item.sentence)
        results = [
            {
                "id": f"{number}-{index}",
                "from_name": "label",
                "to_name": "text",
                "type": "labels",
                "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
            }
            for index, (start, end, label) in enumerate(spans)
        ]
        document = {"document": item.sentence.document} if item.sentence.document else {}
        return {
            "id": item.id or number,
            "data": {"text": text, **document},
            "annotations": [{"result": results}],
            **({"meta": dict(item.metadata)} if item.metadata else {}),
        }


def _reason(task: Mapping[str, Any], annotations: list[Any]) -> str:
    """Why no annotation of a task is used."""
    if annotations:
        return "cancelled"
    return (
        "without annotation, only predictions" if task.get("predictions") else "without annotation"
    )


def _rank(annotation: Mapping[str, Any]) -> tuple[bool, str]:
    """The order of annotations: the ground truth is the last, then the newest."""
    time = annotation.get("updated_at") or annotation.get("created_at") or ""
    return bool(annotation.get("ground_truth")), str(time)


def _labels(annotation: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The labelled spans of an annotation, and the number of its other results."""
    results = annotation.get("result") or []
    values = [result.get("value") for result in results if isinstance(result, dict)]
    labels = [
        value
        for value in values
        if isinstance(value, dict) and "labels" in value and "start" in value
    ]
    return labels, len(results) - len(labels)


def _is_labels(value: object) -> bool:
    """Whether a value of JSON_MIN is an array of labelled spans."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and "labels" in item for item in value
    )


def _text_key(data: Mapping[str, Any]) -> str:
    """The key of a task's text: `text`, or that of the longest string."""
    strings = {key: len(value) for key, value in data.items() if isinstance(value, str)}
    if "text" in data:
        return "text"
    if not strings:
        raise InvalidRecord(
            f"a task without text (its data: {quote(', '.join(data))})", 'a string under "text"'
        )
    return max(strings, key=strings.__getitem__)


def _span(value: Mapping[str, Any]) -> CharSpan:
    labels = value.get("labels")
    if not isinstance(labels, list) or len(labels) != 1:
        raise InvalidRecord(f"the labels {quote(labels)} of a span", "one label for each span")
    return check_span(value.get("start"), value.get("end"), labels[0], value.get("text", ""))
