"""Recognised texts as people and programs read them: a table, JSON Lines, CoNLL, a page."""

import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from hashlib import blake2b

from components.ner import tokens
from components.ner.tags import tags_of
from serving.evaluation import on_tokens
from serving.model import Entity

Recognised = Iterable[tuple[str, tuple[Entity, ...]]]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entities</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.9 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }}
mark {{ background: hsl(var(--hue) 75% 85%); color: #111; border-radius: .25em; padding: .1em .3em; }}
mark small {{ font-size: .65em; font-weight: 700; margin-inline-start: .4em; unicode-bidi: isolate; }}
@media (prefers-color-scheme: dark) {{ mark {{ background: hsl(var(--hue) 45% 30%); color: #fff; }} }}
</style></head><body>
"""
_PAGE_END = "</body></html>\n"


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
        rows = [{**asdict(entity), "score": round(entity.score, 6)} for entity in entities]
        yield json.dumps({"text": text, "entities": rows}, ensure_ascii=False) + "\n"


def conll(recognised: Recognised) -> Iterator[str]:
    """Tokens of the known way with IOB2 tags, an empty line behind each text."""
    for text, entities in recognised:
        offsets = tokens.tokenize(text)
        tags = tags_of(on_tokens(entities, offsets), len(offsets))
        yield "".join(f"{text[start:end]}\t{tag}\n" for (start, end), tag in zip(offsets, tags)) + "\n"


def page(recognised: Recognised) -> Iterator[str]:
    """One HTML page without outside resources; each type has its colour, the score shows on hover."""
    yield _PAGE.format()
    for text, entities in recognised:
        place, pieces = 0, []
        for entity in entities:
            pieces += [html.escape(text[place : entity.start]), _marked(entity)]
            place = entity.end
        yield f"<p>{''.join(pieces)}{html.escape(text[place:])}</p>\n"
    yield _PAGE_END


def _marked(entity: Entity) -> str:
    hue = int.from_bytes(blake2b(entity.type.encode(), digest_size=2).digest(), "big") % 360
    return (
        f'<mark style="--hue:{hue}" title="{html.escape(entity.type)}, {entity.score:.0%}">{html.escape(entity.text)}'
        f"<small>{html.escape(entity.type)}</small></mark>"
    )


WRITERS: Mapping[str, Callable[[Recognised], Iterator[str]]] = {
    "table": table,
    "jsonl": jsonl,
    "conll": conll,
    "html": page,
}
