"""Formats of predictions: table, JSON Lines, CoNLL and HTML.

Each writer takes pairs of a text and its entities, and yields pieces of output as they come.
"""

import html
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from components.export.entity import Entity, token_spans
from components.ner import tokens
from components.ner.granularity import WORDS, Granularity
from components.ner.tags import tags_of

Predictions = Iterable[tuple[str, tuple[Entity, ...]]]

# Used also by the report and by the demo page of the server.
STYLESHEET = Path(__file__).with_name("entities.css")
_HTML_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entities</title><style>
{style}main {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
main .text {{ margin-block: 1rem; }}
</style></head><body><main>
<h1 class="heard">Entities</h1>
"""
_HTML_END = "</main></body></html>\n"


def table(predictions: Predictions) -> Iterator[str]:
    """Each text, and below it a line for each entity: score, type, offsets and text."""
    for text, entities in predictions:
        yield f"{text}\n"
        width = max((len(entity.type) for entity in entities), default=0)
        for entity in entities:
            offsets = f"{entity.start}-{entity.end}"
            yield f"  {entity.score:.2f}  {entity.type:<{width}}  {offsets}  {entity.text}\n"
        if not entities:
            yield "  no entities\n"


def jsonl(predictions: Predictions) -> Iterator[str]:
    """A JSON object for each text, with `text` and `entities`."""
    for text, entities in predictions:
        item = {"text": text, "entities": json_entities(entities)}
        yield json.dumps(item, ensure_ascii=False) + "\n"


def json_entities(entities: Iterable[Entity]) -> list[dict[str, object]]:
    """Entities as JSON objects with text, type, start, end and score."""
    return [{**asdict(entity), "score": round(entity.score, 6)} for entity in entities]


def conll(predictions: Predictions, granularity: Granularity = WORDS) -> Iterator[str]:
    """The model's tokens with IOB2 tags, and an empty line after each text.

    Args:
      predictions: the texts and their entities.
      granularity: how fine the model's tokens are. A server does not say so: a token is divided where
        an entity begins or ends inside of it.
    """
    for text, entities in predictions:
        offsets = [*_divided(tokens.tokenize(text, granularity), entities)]
        tags = tags_of(token_spans(entities, offsets), len(offsets))
        lines = (f"{text[start:end]}\t{tag}\n" for (start, end), tag in zip(offsets, tags))
        yield "".join(lines) + "\n"


def _divided(
    offsets: Iterable[tuple[int, int]], entities: Iterable[Entity]
) -> Iterator[tuple[int, int]]:
    """The tokens, divided where an entity begins or ends inside of them."""
    edges = sorted({edge for entity in entities for edge in (entity.start, entity.end)})
    for start, end in offsets:
        for edge in edges[bisect_right(edges, start) : bisect_left(edges, end)]:
            yield start, edge
            start = edge
        yield start, end


def html_page(predictions: Predictions) -> Iterator[str]:
    """An HTML page that loads nothing. Types have colours; hover and focus show the score."""
    yield _HTML_HEAD.format(style=STYLESHEET.read_text(encoding="utf-8"))
    for text, entities in predictions:
        end, pieces = 0, []
        for entity in entities:
            pieces += [html.escape(text[end : entity.start]), _mark(entity)]
            end = entity.end
        pieces.append(html.escape(text[end:]))
        yield f'<p class="text" dir="auto">{"".join(pieces)}</p>\n'
    yield _HTML_END


def hue(type_: str) -> int:
    """The hue in degrees of a type that entities.css does not name.

    It is the FNV-1a hash of the name in UTF-8, in 24 steps, as in serving/page/entities.js.

    >>> hue("GENE")
    0
    """
    value = 0x811C9DC5
    for byte in type_.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 % 2**32
    return value % 24 * 15


def _mark(entity: Entity) -> str:
    type_, score = html.escape(entity.type), f"{entity.score:.1%}"
    return (
        f'<mark class="entity" data-type="{type_}" style="--other: {hue(entity.type)}"'
        f' data-note="{type_} · {score}" tabindex="0">{html.escape(entity.text)}'
        f'<small>{type_}<span class="heard"> {score} </span></small></mark>'
    )


WRITERS: Mapping[str, Callable[[Predictions], Iterator[str]]] = {
    "table": table,
    "jsonl": jsonl,
    "conll": conll,
    "html": html_page,
}
