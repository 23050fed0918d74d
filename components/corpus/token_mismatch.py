"""Whether the tokens of a corpus are those that the model will make of the same text."""

from __future__ import annotations

from components.ner.sentence import Sentence
from components.ner.tokens import join_tokens, tokenize

# Shares of the entities that do not begin and end where the model's tokens do.
_USELESS = 0.5
_WORTH_A_WARNING = 0.01


class TokenMismatch:
    """Counts entities of a corpus whose borders lie inside the model's tokens, once its tokens are joined to text.

    A model learns the corpus's tokens and is asked about text: what it learnt of such entities, it cannot say there.
    Sentences that came with a text have the model's tokens already.
    """

    def __init__(self) -> None:
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
            return  # joined by blanks: no token of the model spans two of the corpus
        tokens = tokenize(text)
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
        """Whether scores on the corpus's tokens would say too much."""
        return self.misfits > _WORTH_A_WARNING * self.entities

    def __str__(self) -> str:
        return (
            f"{self.misfits} of {self.entities} entities begin or end inside a token that the model makes of text, the first"
            f" at {self.first} (the corpus has single characters as tokens)"
        )
