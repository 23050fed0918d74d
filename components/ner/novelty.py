"""Novelty of an entity: whether train has it with the same type, with another type only, or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from components.ner.sentence import Span

UNSEEN, SEEN, SEEN_AS_OTHER = 0, 1, 2

KnownEntities = Mapping[str, Collection[str]]
"""The entities of train: their types, by `surface`."""


def surface(tokens: Sequence[str], span: Span) -> str:
    """The tokens of an entity, joined by spaces."""
    return " ".join(tokens[span.start : span.end])


def novelty(known: KnownEntities, tokens: Sequence[str], span: Span) -> int:
    """The novelty of an entity in a sentence: `SEEN`, `SEEN_AS_OTHER` or `UNSEEN`."""
    types = known.get(surface(tokens, span), ())
    if span.type in types:
        return SEEN
    return SEEN_AS_OTHER if types else UNSEEN
