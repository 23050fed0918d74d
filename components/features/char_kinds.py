"""The kind of each Unicode code point, as a lookup table: word shapes depend on nothing else, and
tokens only on whether they are split between letters and digits.

The table is made with the `regex` module, which `components.ner.tokens` uses too, so both
tokenizers know the same version of Unicode. TensorFlow's regular expressions know another one.
Plain Python.
"""

import functools
from typing import NamedTuple

import numpy as np
import regex

from components.ner import tokens
from components.ner.granularity import WORDS, Granularity

(
    SPACE,
    LINE_END,
    MARK,
    UPPER,
    LOWER,
    LETTER,
    DIGIT,
    NUMBER,
    SINGLE,
    SENTENCE_END,
    PUNCTUATION,
    SYMBOL,
    OTHER,
) = range(13)
KIND_COUNT = 13
# Kinds up to this one separate tokens.
LAST_SPACE = LINE_END
# Characters of these kinds form runs, which are tokens. From FIRST_RUN_NUMBER on they are numbers.
FIRST_RUN, FIRST_RUN_NUMBER, LAST_RUN = UPPER, DIGIT, NUMBER

_PATTERNS = {
    LINE_END: r"[\n\v\f\x85\u2028\u2029]",  # a carriage return comes with a line feed
    SPACE: tokens.SPACE,
    MARK: r"\p{M}",
    SINGLE: "",  # depends on the granularity
    UPPER: r"\p{Lu}",
    LOWER: r"\p{Ll}",
    LETTER: r"\p{L}",
    DIGIT: r"\p{Nd}",
    NUMBER: r"\p{N}",
    SENTENCE_END: r"[.!?\u3002\u0964\u06D4]",
    PUNCTUATION: r"\p{P}",
    SYMBOL: r"\p{S}",
}
_CODE_POINTS = 0x110000
BLOCK_SIZE = 256


class KindTable(NamedTuple):
    """A two-level table: the kind of a code point is `kinds[blocks[code // BLOCK_SIZE] * BLOCK_SIZE
    + code % BLOCK_SIZE]`.

    Attributes:
        blocks: index into the distinct blocks of each block of code points, int32 [code points /
            BLOCK_SIZE].
        kinds: kinds of the distinct blocks, one block after the other, int32.
    """

    blocks: np.ndarray
    kinds: np.ndarray


@functools.cache
def kind_table(granularity: Granularity = WORDS) -> KindTable:
    """Returns the table over all code points, in which the letters and digits that are single tokens
    have the kind SINGLE.
    """
    patterns = {**_PATTERNS, SINGLE: tokens.single_pattern(granularity)}
    all_chars = np.arange(_CODE_POINTS, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    kinds = np.full(_CODE_POINTS, OTHER, np.int32)
    for kind, pattern in reversed(patterns.items()):  # the first pattern that fits wins
        for match in regex.finditer(f"(?:{pattern})+", all_chars):
            kinds[match.start() : match.end()] = kind
    distinct: dict[bytes, int] = {}
    blocks = [
        distinct.setdefault(block.tobytes(), len(distinct))
        for block in kinds.reshape(-1, BLOCK_SIZE)
    ]
    return KindTable(np.array(blocks, np.int32), np.frombuffer(b"".join(distinct), np.int32))
