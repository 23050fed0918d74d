"""From marked text to tokens and IOB2 tags.

Inside the generator an entity is `START type MIDDLE surface END`, with control characters that no text holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

START, MIDDLE, END, ARTICLE = "\x02", "\x1f", "\x03", "\x1d"
# The known way to cut text: runs of letters and digits, and every other visible character alone.
TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
MARKED = re.compile(f"{START}([A-Z_]+){MIDDLE}([^{START}{END}]*){END}")
# "an MRI", "an 8", "an hour", but "a user", "a one-off", "a US firm".
VOWEL = re.compile(
    r"[aei]|o(?!ne\b|nce\b)|u(?!ni(?!n|m)|s[eu]|ro)|ho(?:ur|nest|no)|heir|x-|8|11\b|18\b",
    re.IGNORECASE,
)
SPELT_VOWEL = re.compile(r"[AEFHILMNORSX]")


@dataclass(frozen=True)
class Labelled:
    """A sentence: tokens and IOB2 tags of one length, and the pattern it was made from."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    pattern: str


def mark(kind: str, surface: str) -> str:
    """The surface as an entity. A leading article stays outside, as the guidelines want it."""
    found = re.match(r"(?:the )?", surface, re.IGNORECASE)
    return found[0] + f"{START}{kind}{MIDDLE}{surface[found.end() :]}{END}"


def plain(marked: str) -> str:
    """The text without its marks."""
    return MARKED.sub(r"\2", marked)


def articles(marked: str) -> str:
    """Puts a or an where the pattern left it open."""
    parts = marked.split(ARTICLE)
    for at in range(1, len(parts)):
        following = plain(parts[at] + "".join(parts[at + 1 :])).lstrip(" \"'(-$€£¥")
        word = re.match(r"\w*", following)[0]
        spelt = word.isupper() and word.isalpha()
        vowel = (SPELT_VOWEL if spelt else VOWEL).match(following)
        parts[at] = ("an" if vowel else "a") + parts[at]
    return "".join(parts)


def capitalised(marked: str) -> str:
    """The first letter of the sentence, wherever it is, as a capital."""
    found = re.match(f"[^\\w]*(?:{START}[A-Z_]+{MIDDLE})?[^\\w]*", marked)
    at = found.end()
    word = re.match(r"\w*", marked[at:])[0]
    # "iPhone" and the like keep their shape, and so do units and code letters.
    return (
        marked
        if not word or any(c.isupper() for c in word)
        else marked[:at] + marked[at].upper() + marked[at + 1 :]
    )


def label(marked: str, pattern: str) -> Labelled:
    """Cuts marked text into tokens; refuses a mark that falls inside a token.

    >>> label("in \\x02LOCATION\\x1fSan Remo\\x03.", "").tags
    ('O', 'B-LOCATION', 'I-LOCATION', 'O')
    """
    tokens: list[str] = []
    tags: list[str] = []
    at = 0
    for found in list(MARKED.finditer(marked)) + [None]:
        outside = marked[at : found.start() if found else len(marked)]
        _add(tokens, tags, outside, None)
        if found:
            _refuse_torn(marked, found, pattern)
            _add(tokens, tags, found[2], found[1])
            at = found.end()
    if not tokens or START in "".join(tokens):
        raise ValueError(f"no text, or a mark left open, in: {pattern}")
    if tokens[-2:] == [".", "."] and tags[-2] != "O" and tags[-1] == "O":
        # The point of "Tessaro Corp." ends the sentence too.
        del tokens[-1], tags[-1]
    return Labelled(tuple(tokens), tuple(tags), pattern)


def _add(tokens: list[str], tags: list[str], text: str, kind: str | None) -> None:
    for position, token in enumerate(TOKEN.findall(text)):
        tokens.append(token)
        tags.append(f"{'I' if position else 'B'}-{kind}" if kind else "O")


def _refuse_torn(marked: str, found: re.Match[str], pattern: str) -> None:
    before, after = marked[found.start() - 1 : found.start()], marked[found.end() : found.end() + 1]
    surface = found[2]
    if not TOKEN.search(surface):
        raise ValueError(f"empty entity in: {pattern}")
    if before.isalnum() and surface[0].isalnum() or after.isalnum() and surface[-1].isalnum():
        raise ValueError(f"'{surface}' is torn out of a token in: {pattern}")
