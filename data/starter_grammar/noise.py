"""How people really type: a document's habits of case, spelling and punctuation, laid over finished sentences.

Noise changes letters inside tokens or leaves whole untagged tokens out, so labels stay right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .dice import Dice
from .text import Labelled

NEIGHBOURS = {
    "a": "s",
    "b": "v",
    "c": "x",
    "d": "f",
    "e": "r",
    "f": "g",
    "g": "h",
    "h": "j",
    "i": "o",
    "k": "l",
    "l": "k",
    "m": "n",
    "n": "m",
    "o": "i",
    "p": "o",
    "r": "t",
    "s": "d",
    "t": "y",
    "u": "i",
    "v": "b",
    "w": "e",
    "y": "u",
}
SHORTHAND = {
    "you": "u",
    "are": "r",
    "please": "pls",
    "thanks": "thx",
    "because": "bc",
    "tomorrow": "tmrw",
    "people": "ppl",
    "about": "abt",
    "with": "w",
    "though": "tho",
    "your": "ur",
    "really": "rly",
    "tonight": "2nite",
    "okay": "k",
    "message": "msg",
    "minutes": "mins",
    "hours": "hrs",
    "probably": "prob",
    "something": "smth",
    "and": "n",
    "for": "4",
    "before": "b4",
    "percent": "pct",
}


@dataclass(frozen=True)
class Habits:
    """One writer's: shares run from 0 to 1, by token or by sentence."""

    case: str = "kept"  # kept, lower, upper
    typos: float = 0.0
    shorthand: float = 0.0
    no_end: float = 0.0
    no_commas: float = 0.0
    no_apostrophes: bool = False


@dataclass(frozen=True)
class Manners:
    """How common each habit is among the writers of a genre."""

    lower: float
    upper: float
    typos: float
    shorthand: float = 0.0
    no_end: float = 0.0
    no_commas: float = 0.0
    no_apostrophes: float = 0.0


MANNERS = {
    "news": Manners(lower=0.04, upper=0.01, typos=0.04),
    "finance": Manners(lower=0.05, upper=0.01, typos=0.05),
    "clinical": Manners(lower=0.14, upper=0.06, typos=0.16, no_end=0.25, no_commas=0.1),
    "mail": Manners(
        lower=0.12,
        upper=0.0,
        typos=0.18,
        shorthand=0.04,
        no_end=0.1,
        no_commas=0.15,
        no_apostrophes=0.08,
    ),
    "chat": Manners(
        lower=0.5,
        upper=0.02,
        typos=0.28,
        shorthand=0.35,
        no_end=0.7,
        no_commas=0.5,
        no_apostrophes=0.4,
    ),
}


def habits(genre: str, dice: Dice) -> Habits:
    """A writer of this genre."""
    manners = MANNERS[genre]
    case = (
        "lower" if dice.chance(manners.lower) else "upper" if dice.chance(manners.upper) else "kept"
    )
    return Habits(
        case=case,
        typos=dice.between(10, 50) / 1000 if dice.chance(manners.typos) else 0.0,
        shorthand=0.4 if dice.chance(manners.shorthand) else 0.0,
        no_end=0.8 if dice.chance(manners.no_end) else 0.0,
        no_commas=0.8 if dice.chance(manners.no_commas) else 0.0,
        no_apostrophes=dice.chance(manners.no_apostrophes),
    )


def without_apostrophes(marked: str) -> str:
    """don't -> dont, before the text is cut into tokens; names keep theirs."""
    return re.sub(r"(?<=[a-zI])'(?=(?:t|m|s|re|ve|ll|d)\b)", "", marked)


def roughen(sentence: Labelled, writer: Habits, dice: Dice) -> Labelled:
    """The sentence as this writer types it."""
    pairs = list(zip(sentence.tokens, sentence.tags))
    if (
        len(pairs) > 3
        and pairs[-1] == (".", "O")
        and pairs[-2][0] != "."
        and dice.chance(writer.no_end)
    ):
        pairs.pop()
    pairs = [pair for pair in pairs if pair != (",", "O") or not dice.chance(writer.no_commas)]
    tokens = [_typed(token, writer, dice) for token, _ in pairs]
    return Labelled(tuple(tokens), tuple(tag for _, tag in pairs), sentence.pattern)


def _typed(token: str, writer: Habits, dice: Dice) -> str:
    short = SHORTHAND.get(token.lower())
    if short and dice.chance(writer.shorthand):
        token = short
    elif len(token) > 3 and token.isalpha() and dice.chance(writer.typos):
        token = _mistyped(token, dice)
    if writer.case == "lower":
        return token.lower()
    # Upper-casing must not change the number of letters ("ß"), nor turn the dotless i into another letter.
    return token.upper() if writer.case == "upper" and len(token.upper()) == len(token) else token


def _mistyped(token: str, dice: Dice) -> str:
    """One slip, never in the first letter, which is the one people get right."""
    at = dice.between(1, len(token) - 2)
    slip = dice.between(0, 3)
    if slip == 0:
        return token[:at] + token[at + 1] + token[at] + token[at + 2 :]
    if slip == 1:
        return token[:at] + token[at + 1 :]
    if slip == 2:
        return token[:at] + token[at] + token[at:]
    return token[:at] + NEIGHBOURS.get(token[at].lower(), token[at]) + token[at + 1 :]
