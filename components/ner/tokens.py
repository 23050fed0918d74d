"""The one known way from text to tokens.

A token is a run of letters and digits, or any other visible character alone. Scripts written without spaces between words
have no runs: each of their letters and digits stands alone. A mark (an accent, a vowel sign, the selector that makes an
emoji of a symbol) belongs to what it follows. White space and control characters separate tokens and belong to none.

The exported model tokenises by the same kinds of characters (`components.features.text_ops`).
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

from components.ner.sentence import Span

# Tokens after which a long text is cut at the next end of a sentence, and after which it is cut anywhere.
LONG_TEXT, LONGEST_PART = 128, 512
SENTENCE_ENDS = ".!?\u3002\u0964\u06d4"

SPACELESS_SCRIPTS = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")

# The scripts without their marks, punctuation and symbols: the double negation is an intersection.
SPACELESS = (
    "(?:"
    + "|".join(rf"[^\P{{{script}}}\p{{M}}\p{{P}}\p{{S}}]" for script in SPACELESS_SCRIPTS)
    + ")"
)
SPACE = r"[\p{Z}\p{Cc}]"

_ALONE = rf"{SPACELESS}\p{{M}}*"
_RUN = rf"(?:(?!{SPACELESS})[\p{{L}}\p{{N}}]\p{{M}}*)+"
_SINGLE = r"[^\p{L}\p{N}\p{Z}\p{Cc}]\p{M}*"

_TOKEN = regex.compile(f"{_ALONE}|{_RUN}|{_SINGLE}")
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


def text_parts(
    text: str, offsets: Sequence[tuple[int, int]], spans: Sequence[Span] = ()
) -> list[tuple[int, int]]:
    """The parts of a text that the exported model reads by themselves: paragraphs, and pieces of long ones.

    Args:
      text: the text.
      offsets: the places of its tokens.
      spans: entities, in which no part begins.

    Returns:
      The first token and the end of each part.
    """
    if len(offsets) <= LONG_TEXT and "\n" not in text:
        return [(0, len(offsets))]
    inside = {token for span in spans for token in range(span.start + 1, span.end)}
    begins = [0]
    for token in range(1, len(offsets)):
        place = token - begins[-1]
        gap = text[offsets[token - 1][1] : offsets[token][0]]
        ends_sentence = text[offsets[token - 1][0] : offsets[token - 1][1]] in SENTENCE_ENDS
        if token not in inside and (
            gap.count("\n") > 1 or (place >= LONG_TEXT and ends_sentence) or place >= LONGEST_PART
        ):
            begins.append(token)
    return [*zip(begins, [*begins[1:], len(offsets)], strict=True)]
