"""The basic values: spans and sentences; and the length of a sentence and the novelty of an entity, by which scores are sliced."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

UNSEEN, SEEN, SEEN_AS_OTHER = 0, 1, 2


_LENGTH_CLASSES = {10: "up to 10 tokens", 25: "11 to 25 tokens", 50: "26 to 50 tokens"}
_LONGER = "over 50 tokens"
LENGTH_CLASSES = (*_LENGTH_CLASSES.values(), _LONGER)


def length_class(tokens: int) -> str:
    """The class of a sentence with this number of tokens, by which scores are sliced."""
    return next((name for limit, name in _LENGTH_CLASSES.items() if tokens <= limit), _LONGER)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An entity: the tokens from `start` up to, not including, `end`, and its type."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """The tokens of a sentence and its entities."""

    tokens: tuple[str, ...]
    spans: tuple[Span, ...]  # sorted and disjoint
    document: str = ""  # id of the document, "" if the corpus has no documents
    id: str = ""  # file name and first line, such as "train.conll:12"
    offsets: tuple[tuple[int, int], ...] | None = None  # of tokens in `text`, in code points
    text: str | None = None  # None if only tokens are known, or tokens and offsets, as in examples
    file: str = ""  # path of the file
    line: int = 0  # first line of the sentence in the file

    @property
    def tags(self) -> tuple[str, ...]:
        """The spans as IOB2 tags, one for each token."""
        tags = ["O"] * len(self.tokens)
        for span in self.spans:
            tags[span.start : span.end] = ["I-" + span.type] * (span.end - span.start)
            tags[span.start] = "B-" + span.type
        return tuple(tags)


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
