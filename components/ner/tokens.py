"""The one known way from text to tokens.

A token is a run of letters, marks and digits, or any other visible character alone. Scripts written without spaces
between words have no runs: each of their letters, marks and digits stands alone, with the marks that follow it. White
space and control characters separate tokens and belong to none.

The patterns are kept as strings that the `regex` module and RE2 (TensorFlow's) read alike, because the exported model
tokenises with the same ones. RE2 has neither lookahead nor intersections of classes; there, cut around the matches of
ALONE first, then around those of RUN and SINGLE.
"""

from __future__ import annotations

import regex

SPACELESS_SCRIPTS = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")

_WORD = r"\p{L}\p{M}\p{N}"
# The script without its punctuation and symbols: the double negation is an intersection that RE2 can read.
_SPACELESS = "(?:" + "|".join(rf"[^\P{{{script}}}\p{{P}}\p{{S}}]" for script in SPACELESS_SCRIPTS) + ")"

SPACE = r"[\p{Z}\p{Cc}]"
ALONE = rf"{_SPACELESS}\p{{M}}*"
RUN = f"[{_WORD}]+"
SINGLE = rf"[^{_WORD}\p{{Z}}\p{{Cc}}]"

_TOKEN = regex.compile(f"{ALONE}|(?:(?!{_SPACELESS})[{_WORD}])+|{SINGLE}")
_SPACE = regex.compile(SPACE)


def tokenize(text: str) -> list[tuple[int, int]]:
    """The places of the tokens in `text`, in Unicode code points, end excluded, in order.

    >>> tokenize("Dr. Li, 中国")
    [(0, 2), (2, 3), (4, 6), (6, 7), (8, 9), (9, 10)]
    """
    return [match.span() for match in _TOKEN.finditer(text)]


def is_space(character: str) -> bool:
    """Whether the character separates tokens."""
    return _SPACE.match(character) is not None
