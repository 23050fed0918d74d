"""Chooses the granularity of the model's tokenizer by where the entities of a corpus begin and end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import regex

from components.ner.granularity import FINE_NAME, WORDS, Granularity
from components.ner.tokens import is_space, single_pattern

# Scripts whose letters may be chosen as tokens: they have no upper and lower case, and their languages
# attach particles, prefixes or case endings to names. Of an edge inside a word of other scripts, most
# often the annotation is wrong; such scripts have to be named in the setting.
CHOSEN_SCRIPTS = (
    "Arabic",
    "Bengali",
    "Devanagari",
    "Ethiopic",
    "Gujarati",
    "Gurmukhi",
    "Hangul",
    "Hebrew",
    "Kannada",
    "Malayalam",
    "Mongolian",
    "Oriya",
    "Sinhala",
    "Syriac",
    "Tamil",
    "Telugu",
    "Thaana",
    "Tibetan",
)

# Entities that may begin or end inside words before a finer granularity is chosen. Fewer are mistakes
# of annotation rather than a habit of the language.
_SMALL_SHARE = 0.02
# A granularity fits if at most this share of those entities still begins or ends inside a token.
_REST_SHARE = 0.1

_RUN_CHARACTER = regex.compile(rf"(?!{single_pattern(WORDS)})[\p{{L}}\p{{N}}]")
_LETTER = regex.compile(r"\p{L}")
_MARK = regex.compile(r"\p{M}")
_SCRIPT_OF = regex.compile("|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in CHOSEN_SCRIPTS))

Remedies = frozenset[str]
"""What splits a word at an edge, each alone: "fine" and names of CHOSEN_SCRIPTS."""


def remedies_at(text: str, offset: int) -> Remedies | None:
    """What splits the word that an edge of an entity is inside of.

    Args:
        text: the text.
        offset: the edge, between two characters of the text.

    Returns:
        Parts of a granularity, each of which splits the word there; empty if only a script that is
        not chosen would. None if the edge is inside no word.

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


@dataclass(frozen=True)
class Choice:
    """A granularity that was chosen for a corpus."""

    granularity: Granularity
    cut_share: float
    """Share of the entities that begin or end inside a word, from 0 to 1."""

    @property
    def note(self) -> str:
        """The choice for the user, "" where it is the default."""
        if self.granularity == WORDS:
            return ""
        return (
            f"tokenizer: {self.granularity.description}, because {self.cut_share:.0%} of the entities begin or end inside"
            f" a word (--set tokenizer={self.granularity} keeps it so, tokenizer=words overrules it)."
        )


class EdgeCounts:
    """Counts the entities of a corpus by what splits the words that they begin or end inside of."""

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

    def choose(self) -> Choice:
        """The coarsest granularity under which the entities are whole tokens.

        Words, if few entities begin or end inside words, or if no granularity helps.
        """
        cut = self._cut.total()
        share = cut / max(1, self.entities)
        if share > _SMALL_SHARE:
            for parts in ({FINE_NAME}, self._scripts(set()), self._scripts({FINE_NAME})):
                if self._rest(parts) <= _REST_SHARE * cut:
                    scripts = tuple(sorted(parts - {FINE_NAME}))
                    return Choice(Granularity(FINE_NAME in parts, scripts), share)
        return Choice(WORDS, share)

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
