"""Recognised texts as people and programs read them: a table, JSON Lines, CoNLL, a page."""

import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from components.export.entity import Entity
from components.export.evaluation import on_tokens
from components.ner import tokens
from components.ner.tags import tags_of

Recognised = Iterable[tuple[str, tuple[Entity, ...]]]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entities</title><style>
{style}main {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
main .text {{ margin-block: 1rem; }}
</style></head><body><main>
<h1 class="heard">Entities</h1>
"""
_PAGE_END = "</main></body></html>\n"
# The look of the page that a server offers.
STYLE = Path(__file__).parents[2] / "serving" / "page" / "entities.css"


def table(recognised: Recognised) -> Iterator[str]:
    """A line for each entity: score, type, place and text; the text itself above its entities."""
    for text, entities in recognised:
        yield f"{text}\n"
        width = max((len(entity.type) for entity in entities), default=0)
        for entity in entities:
            yield f"  {entity.score:.2f}  {entity.type:<{width}}  {entity.start}-{entity.end}  {entity.text}\n"
        if not entities:
            yield "  no entities\n"


def jsonl(recognised: Recognised) -> Iterator[str]:
    """A JSON object for each text: `text`, and `entities` with text, type, start, end and score."""
    for text, entities in recognised:
        yield json.dumps({"text": text, "entities": objects(entities)}, ensure_ascii=False) + "\n"


def objects(entities: Iterable[Entity]) -> list[dict[str, object]]:
    """Entities as JSON has them: text, type, start, end and score."""
    return [{**asdict(entity), "score": round(entity.score, 6)} for entity in entities]


def conll(recognised: Recognised) -> Iterator[str]:
    """Tokens of the known way with IOB2 tags, an empty line behind each text."""
    for text, entities in recognised:
        offsets = tokens.tokenize(text)
        tags = tags_of(on_tokens(entities, offsets), len(offsets))
        yield (
            "".join(f"{text[start:end]}\t{tag}\n" for (start, end), tag in zip(offsets, tags))
            + "\n"
        )


def page(recognised: Recognised) -> Iterator[str]:
    """One HTML page without outside resources; each type has its colour, the score shows on hover and focus."""
    yield _PAGE.format(style=STYLE.read_text(encoding="utf-8"))
    for text, entities in recognised:
        place, pieces = 0, []
        for entity in entities:
            pieces += [html.escape(text[place : entity.start]), _marked(entity)]
            place = entity.end
        pieces.append(html.escape(text[place:]))
        yield f'<p class="text" dir="auto">{"".join(pieces)}</p>\n'
    yield _PAGE_END


def other_hue(type_: str) -> int:
    """The hue in degrees of a type that entities.css does not name: FNV-1a of its UTF-8, in 24 steps, as in entities.js.

    >>> other_hue("GENE")
    0
    """
    value = 0x811C9DC5
    for byte in type_.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 % 2**32
    return value % 24 * 15


def _marked(entity: Entity) -> str:
    type_, score = html.escape(entity.type), f"{entity.score:.1%}"
    return (
        f'<mark class="entity" data-type="{type_}" style="--other: {other_hue(entity.type)}" data-note="{type_} · {score}"'
        f' tabindex="0">{html.escape(entity.text)}<small>{type_}<span class="heard"> {score} </span></small></mark>'
    )


WRITERS: Mapping[str, Callable[[Recognised], Iterator[str]]] = {
    "table": table,
    "jsonl": jsonl,
    "conll": conll,
    "html": page,
}
