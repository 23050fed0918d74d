"""Whether train has an entity: with the same type, with another one only, or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from components.ner.sentence import Span

UNSEEN, SEEN, SEEN_AS_OTHER = 0, 1, 2

KnownEntities = Mapping[str, Collection[str]]
"""The types that each entity of train has there, by its surface."""


def surface(tokens: Sequence[str], span: Span) -> str:
    """The key of an entity among `KnownEntities`: its tokens joined with a space."""
    return " ".join(tokens[span.start : span.end])


def novelty(known: KnownEntities, tokens: Sequence[str], span: Span) -> int:
    """`SEEN`, `SEEN_AS_OTHER` or `UNSEEN`."""
    types = known.get(surface(tokens, span), ())
    if span.type in types:
        return SEEN
    return SEEN_AS_OTHER if types else UNSEEN
