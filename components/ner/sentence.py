"""The two values that everything here speaks of: a span and a sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An entity: the tokens from `start` up to, not including, `end`, and its type."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and the entities among them.

    `spans` are sorted and disjoint. `document` is the identity of the document, "" where there is none. `id` is
    "train.conll:12": the file's name and the line the sentence begins on; `file` and `line` are the same with the whole
    path. `offsets` are the tokens' places in `text`, counted in Unicode code points, end excluded; both are None where
    only tokens are known.
    """

    tokens: tuple[str, ...]
    spans: tuple[Span, ...]
    document: str = ""
    id: str = ""
    offsets: tuple[tuple[int, int], ...] | None = None
    text: str | None = None
    file: str = ""
    line: int = 0

    @property
    def tags(self) -> tuple[str, ...]:
        """The spans as IOB2 tags, one a token."""
        tags = ["O"] * len(self.tokens)
        for span in self.spans:
            tags[span.start : span.end] = ["I-" + span.type] * (span.end - span.start)
            tags[span.start] = "B-" + span.type
        return tuple(tags)
