"""The model's tokenizer in plain Python, and text made of tokens.

A token is a run of letters and digits, or any other visible character alone. In scripts written
without spaces between words each letter and digit is a token; a `Granularity` adds further scripts,
and can end tokens between letters and digits. A combining mark (an accent, a vowel sign, the
selector that makes a symbol an emoji) belongs to the character before it. White space and control
characters separate tokens and belong to no token.

`components.features.text_ops` is the same tokenizer as TensorFlow operations, for the exported
model.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import regex

from components.ner.granularity import SPACELESS_SCRIPTS, WORDS, Granularity
from components.ner.sentence import Sentence, Span

# A long text is cut at the next end of a sentence after LONG_TEXT tokens, and anywhere after
# LONGEST_PART tokens.
LONG_TEXT, LONGEST_PART = 128, 512
SENTENCE_ENDS = ".!?\u3002\u0964\u06d4"

SPACE = r"[\p{Z}\p{Cc}]"

# The scripts without their marks, punctuation and symbols: the double negation is an intersection.
_SPACELESS = "|".join(rf"[^\P{{{script}}}\p{{M}}\p{{P}}\p{{S}}]" for script in SPACELESS_SCRIPTS)

_SPACE = regex.compile(SPACE)
_SPACELESS_CHARACTER = regex.compile(_SPACELESS)
# Letters that text does not write as single tokens: a sentence of such tokens is one of characters.
_BOUND_LETTER = regex.compile(rf"(?!{_SPACELESS})\p{{L}}")
_MIN_CHARACTER_TOKENS = 5


def single_pattern(granularity: Granularity) -> str:
    """The regular expression of the letters and digits that are single tokens."""
    letters = (rf"[^\P{{Script={script}}}\P{{L}}]" for script in granularity.scripts)
    return f"(?:{'|'.join([_SPACELESS, *letters])})"


@functools.cache
def _token_pattern(granularity: Granularity) -> regex.Pattern:
    single = single_pattern(granularity)
    runs = [r"\p{L}", r"\p{N}"] if granularity.splits_digits else [r"[\p{L}\p{N}]"]
    return regex.compile(
        "|".join(
            [
                rf"{single}\p{{M}}*",
                *(rf"(?:(?!{single}){run}\p{{M}}*)+" for run in runs),
                r"[^\p{L}\p{N}\p{Z}\p{Cc}]\p{M}*",
            ]
        )
    )


def tokenize(text: str, granularity: Granularity = WORDS) -> list[tuple[int, int]]:
    """Tokenizes a text as the exported model does.

    Args:
        text: the text.
        granularity: how fine the tokens are.

    Returns:
        Start and end of each token in Unicode code points, the end excluded, in order.

    >>> tokenize("Dr. Li, 中国")
    [(0, 2), (2, 3), (4, 6), (6, 7), (8, 9), (9, 10)]
    >>> tokenize("10mg", Granularity(splits_digits=True))
    [(0, 2), (2, 4)]
    """
    return [match.span() for match in _token_pattern(granularity).finditer(text)]


def join_tokens(tokens: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Joins tokens to a text, with spaces where their script is written with spaces.

    No space goes between letters of scripts without spaces, nor between tokens that are the single
    characters of a text. The tokenizer's granularity does not matter: Korean has spaces even where
    its letters are single tokens.

    Args:
        tokens: the tokens of a sentence.

    Returns:
        The text, and start and end of each token in it.

    >>> join_tokens(("Ada", "spoke")), join_tokens(("中", "国", "AG"))[0]
    (('Ada spoke', ((0, 3), (4, 9))), '中国 AG')
    """
    is_characters = are_characters(tokens)
    text = ""
    offsets = []
    for token in tokens:
        if (
            offsets
            and not is_characters
            and not (_is_spaceless(text[-1:]) and _is_spaceless(token[:1]))
        ):
            text += " "
        offsets.append((len(text), len(text) + len(token)))
        text += token
    return text, tuple(offsets)


def are_characters(tokens: Sequence[str]) -> bool:
    """Says whether tokens are the single characters of a text, such as "b", "u", "y", " ", "i".

    A few single characters, or characters of scripts without spaces alone, are no evidence.
    """
    visible = [token for token in tokens if token.strip()]
    if len(visible) < _MIN_CHARACTER_TOKENS or any(len(token) > 1 for token in visible):
        return False
    return len(visible) < len(tokens) or any(_BOUND_LETTER.match(token) for token in visible)


def _is_spaceless(character: str) -> bool:
    return _SPACELESS_CHARACTER.match(character) is not None


def is_space(character: str) -> bool:
    """Says whether a character separates tokens."""
    return _SPACE.match(character) is not None


def text_parts(
    text: str, offsets: Sequence[tuple[int, int]], spans: Sequence[Span] = ()
) -> list[tuple[int, int]]:
    """Divides a text into the parts that the exported model reads separately: paragraphs, and parts
    of long paragraphs.

    Args:
        text: the text.
        offsets: start and end of each token.
        spans: entities, which are not divided.

    Returns:
        The first token of each part, and the token after its last one.
    """
    if len(offsets) <= LONG_TEXT and "\n" not in text:
        return [(0, len(offsets))]
    inside = {token for span in spans for token in range(span.start + 1, span.end)}
    begins = [0]
    for token in range(1, len(offsets)):
        position = token - begins[-1]
        gap = text[offsets[token - 1][1] : offsets[token][0]]
        ends_sentence = text[offsets[token - 1][0] : offsets[token - 1][1]] in SENTENCE_ENDS
        if token not in inside and (
            gap.count("\n") > 1
            or (position >= LONG_TEXT and ends_sentence)
            or position >= LONGEST_PART
        ):
            begins.append(token)
    return [*zip(begins, [*begins[1:], len(offsets)], strict=True)]


def text_of(sentence: Sentence) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Returns the text of a sentence and the offsets of its tokens. Where the sentence has no text,
    its tokens are joined.
    """
    if sentence.text is not None and sentence.offsets is not None:
        return sentence.text, sentence.offsets
    return join_tokens(sentence.tokens)
