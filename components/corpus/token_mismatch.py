"""Compares the tokens of a corpus with the tokens of the model on the same text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace

from components.ner.granularity import WORDS, Granularity
from components.ner.sentence import Sentence, Span
from components.ner.tokens import are_characters, join_tokens, tokenize

# Shares of the entities that do not begin and end where the model's tokens do.
_USELESS = 0.5
_WORTH_A_WARNING = 0.01


class TokenMismatch:
    """Counts entities of a corpus that begin or end inside the model's tokens once its tokens are
    joined to text.

    The model learns the tokens of the corpus and is asked about text: entities that it cannot mark
    there are learned in vain. Sentences that came with a text have the model's tokens already.

    Args:
      granularity: how fine the model's tokens are.
    """

    def __init__(self, granularity: Granularity = WORDS) -> None:
        self._granularity = granularity
        self.entities = self.misfits = 0
        self.first = ""

    def add(self, sentence: Sentence) -> None:
        """Counts the entities of a sentence."""
        if not sentence.spans:
            return
        self.entities += len(sentence.spans)
        if sentence.text is not None:
            return
        text, offsets = join_tokens(sentence.tokens)
        if text.count(" ") == len(offsets) - 1 and " " not in sentence.tokens:
            return  # joined by spaces: no token of the model spans two of the corpus
        tokens = tokenize(text, self._granularity)
        starts, ends = {start for start, _ in tokens}, {end for _, end in tokens}
        for span in sentence.spans:
            if offsets[span.start][0] not in starts or offsets[span.end - 1][1] not in ends:
                self.misfits += 1
                self.first = self.first or f"{sentence.file}:{sentence.line + span.start}"

    @property
    def is_useless(self) -> bool:
        """Whether a model of this corpus would find few of its entities in text."""
        return self.misfits > _USELESS * self.entities

    @property
    def is_worth_a_warning(self) -> bool:
        """Whether scores on the corpus's tokens would be too high."""
        return self.misfits > _WORTH_A_WARNING * self.entities

    def __str__(self) -> str:
        return (
            f"{self.misfits} of {self.entities} entities begin or end inside a token that the model makes of text, the first"
            f" at {self.first} (the corpus has single characters as tokens)"
        )


def with_model_tokens(sentence: Sentence, granularity: Granularity) -> Sentence:
    """The sentence with the tokens that the model makes of its text, where the corpus has the single
    characters of a text as tokens, white space among them.

    Args:
      sentence: the sentence.
      granularity: how fine the model's tokens are. With words nothing changes.

    Returns:
      The sentence with its text; unchanged if it is no sentence of characters, or if an entity begins
      or ends inside a token of the model.
    """
    if granularity == WORDS or sentence.text is not None or not are_characters(sentence.tokens):
        return sentence
    text, character_offsets = join_tokens(sentence.tokens)
    offsets = tuple(tokenize(text, granularity))
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    spans = []
    for span in sentence.spans:
        start, end = character_offsets[span.start][0], character_offsets[span.end - 1][1]
        first, last = bisect_right(starts, start) - 1, bisect_left(ends, end)
        if first < 0 or last == len(ends) or (starts[first], ends[last]) != (start, end):
            return sentence
        spans.append(Span(first, last + 1, span.type))
    tokens = tuple(text[start:end] for start, end in offsets)
    return replace(sentence, tokens=tokens, spans=tuple(spans), offsets=offsets, text=text)
