"""The model's tokenizer in plain Python.

A token is a run of letters and digits, or any other visible character alone. Scripts written without spaces between words
have no runs: each of their letters and digits stands alone. A mark (an accent, a vowel sign, the selector that makes an
emoji of a symbol) belongs to what it follows. White space and control characters separate tokens and belong to none.

The exported model has the same tokenizer as TensorFlow operations (`components.features.text_ops`).
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

from components.ner.sentence import Sentence, Span

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
_SPACELESS_LETTER = regex.compile(SPACELESS)
# Letters that do not stand alone in text: a sentence of such tokens is a sentence of characters.
_BOUND_LETTER = regex.compile(rf"(?!{SPACELESS})\p{{L}}")
_FEW_TOKENS = 5


def tokenize(text: str) -> list[tuple[int, int]]:
    """The start and end of each token in `text`, in Unicode code points, end excluded.

    >>> tokenize("Dr. Li, 中国")
    [(0, 2), (2, 3), (4, 6), (6, 7), (8, 9), (9, 10)]
    """
    return [match.span() for match in _TOKEN.finditer(text)]


def join_tokens(tokens: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Tokens as text, and their offsets in it: joined by spaces, where their script has spaces between words.

    Nothing stands between letters of scripts without spaces, nor between tokens that are single characters of a text.

    >>> join_tokens(("Ada", "spoke")), join_tokens(("中", "国", "AG"))[0]
    (('Ada spoke', ((0, 3), (4, 9))), '中国 AG')
    """
    letters = [token for token in tokens if token.strip()]
    if len(letters) >= _FEW_TOKENS and all(len(token) == 1 for token in letters):
        characters = any(not token.strip() for token in tokens) or any(
            _BOUND_LETTER.match(token) for token in letters
        )
    else:
        characters = False
    text = ""
    offsets = []
    for token in tokens:
        if (
            offsets
            and not characters
            and not (_is_spaceless(text[-1:]) and _is_spaceless(token[:1]))
        ):
            text += " "
        offsets.append((len(text), len(text) + len(token)))
        text += token
    return text, tuple(offsets)


def _is_spaceless(character: str) -> bool:
    return _SPACELESS_LETTER.match(character) is not None


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


def text_of(sentence: Sentence) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The sentence's text and its tokens' offsets in it; its tokens joined (`join_tokens`) if it has none."""
    if sentence.text is not None and sentence.offsets is not None:
        return sentence.text, sentence.offsets
    return join_tokens(sentence.tokens)
