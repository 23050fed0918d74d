"""How the entities of a corpus fit the tokens that the model makes of text: chooses the granularity of its tokenizer, counts
the entities that it cannot mark, and gives a corpus of characters the model's tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import regex

from components.ner.granularity import FINE_NAME, WORDS, Granularity
from components.ner.sentence import Sentence, Span
from components.ner.tokens import are_characters, is_space, join_tokens, single_pattern, tokenize

# Scripts whose letters may be chosen as tokens: they have no upper and lower case, and their languages
# attach particles, prefixes or case endings to names. Of an edge inside a word of other scripts, most
# often the annotation is wrong; such scripts have to be named in the setting.
CHOSEN_SCRIPTS = (
    "Arabic Bengali Devanagari Ethiopic Gujarati Gurmukhi Hangul Hebrew Kannada Malayalam "
    "Mongolian Oriya Sinhala Syriac Tamil Telugu Thaana Tibetan"
).split()

# Entities that may begin or end inside words before a finer granularity is chosen. Fewer are mistakes
# of annotation rather than a habit of the language.
_SMALL_SHARE = 0.02
# A granularity fits if at most this share of these entities still begins or ends inside a token.
_REST_SHARE = 0.1

# Shares of the entities that do not begin and end where the model's tokens do.
_USELESS = 0.5
_WORTH_A_WARNING = 0.01


_RUN_CHARACTER = regex.compile(rf"(?!{single_pattern(WORDS)})[\p{{L}}\p{{N}}]")
_LETTER = regex.compile(r"\p{L}")
_MARK = regex.compile(r"\p{M}")
_SCRIPT_OF = regex.compile("|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in CHOSEN_SCRIPTS))

Remedies = frozenset[str]
"""The parts of a granularity that split a word at an edge: "fine" and names of CHOSEN_SCRIPTS."""


def remedies_at(text: str, offset: int) -> Remedies | None:
    """The parts of a granularity that split a word at an edge of an entity.

    Args:
        text: the text.
        offset: the edge, between two characters of the text.

    Returns:
        The parts of a granularity that split the word at the edge, each alone; empty if only a script
        outside CHOSEN_SCRIPTS splits it. None if the edge is not inside a word.

    >>> remedies_at("take 10mg", 7), remedies_at("take 10mg", 5), remedies_at("ab", 1)
    (frozenset({'fine'}), None, frozenset())
    """
    if not 0 < offset < len(text):
        return None
    after, base = text[offset], offset - 1
    if _MARK.match(after):
        return None if is_space(text[base]) else frozenset()
    while base > 0 and _MARK.match(text[base]):
        base -= 1
    before = text[base]
    if not _RUN_CHARACTER.match(before) or not _RUN_CHARACTER.match(after):
        return None
    letters = [character for character in (before, after) if _LETTER.match(character)]
    scripts = (_SCRIPT_OF.match(letter) for letter in letters)
    return frozenset(
        [
            *(match.lastgroup for match in scripts if match and match.lastgroup),
            *([FINE_NAME] if len(letters) == 1 else []),
        ]
    )


class EdgeCounts:
    """Counts the entities that begin or end inside words, by the granularities that split these words."""

    def __init__(self) -> None:
        self.entities = 0
        self._cut: Counter[frozenset[Remedies]] = Counter()

    def add(self, text: str, spans: Iterable[tuple[int, int]]) -> None:
        """Counts the entities of a text, given as start and end."""
        for start, end in spans:
            self.entities += 1
            edges = remedies_at(text, start), remedies_at(text, end)
            cut = frozenset(remedies for remedies in edges if remedies is not None)
            if cut:
                self._cut[cut] += 1

    @property
    def cut_share(self) -> float:
        """The share of the entities that begin or end inside a word, from 0 to 1."""
        return self._cut.total() / max(1, self.entities)

    def choose(self) -> Granularity:
        """The coarsest granularity under which the entities are whole tokens.

        Words, if few entities begin or end inside words, or if no granularity helps.
        """
        if self.cut_share > _SMALL_SHARE:
            for parts in ({FINE_NAME}, self._scripts(set()), self._scripts({FINE_NAME})):
                if self._rest(parts) <= _REST_SHARE * self._cut.total():
                    return Granularity(FINE_NAME in parts, tuple(sorted(parts - {FINE_NAME})))
        return WORDS

    def _rest(self, parts: set[str]) -> int:
        """The entities that still begin or end inside a token."""
        return sum(
            count
            for cut, count in self._cut.items()
            if any(parts.isdisjoint(remedies) for remedies in cut)
        )

    def _scripts(self, parts: set[str]) -> set[str]:
        """`parts` and the scripts that they need, the most useful first, until few entities remain."""
        cut = self._cut.total()
        while self._rest(parts) > _REST_SHARE * cut:
            best = min(
                (script for script in CHOSEN_SCRIPTS if script not in parts),
                key=lambda script: self._rest(parts | {script}),
            )
            if self._rest(parts | {best}) == self._rest(parts):
                break
            parts = parts | {best}
        return parts


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
