"""What kind of character each code point is, as a table: all that tokens and their shapes depend on.

A table made by the module that `components.ner.tokens` uses cannot differ from it, whereas TensorFlow's regular expressions
know another version of Unicode. Plain Python.
"""

import functools
from typing import NamedTuple

import numpy as np
import regex

from components.ner import tokens

(
    SPACE,
    LINE_END,
    MARK,
    UPPER,
    LOWER,
    LETTER,
    DIGIT,
    NUMBER,
    SPACELESS,
    SENTENCE_END,
    PUNCTUATION,
    SYMBOL,
    OTHER,
) = range(13)
KINDS = 13
# These separate tokens.
LAST_OF_SPACE = LINE_END
# Of these a run is made.
FIRST_OF_RUN, LAST_OF_RUN = UPPER, NUMBER

_PATTERNS = {
    LINE_END: r"[\n\v\f\x85\u2028\u2029]",  # a carriage return has a line feed beside it
    SPACE: tokens.SPACE,
    MARK: r"\p{M}",
    SPACELESS: tokens.SPACELESS,
    UPPER: r"\p{Lu}",
    LOWER: r"\p{Ll}",
    LETTER: r"\p{L}",
    DIGIT: r"\p{Nd}",
    NUMBER: r"\p{N}",
    SENTENCE_END: r"[.!?\u3002\u0964\u06D4]",
    PUNCTUATION: r"\p{P}",
    SYMBOL: r"\p{S}",
}
_CODES = 0x110000
BLOCK = 256


class Table(NamedTuple):
    """The kind of a code point is `kinds[blocks[code // BLOCK] * BLOCK + code % BLOCK]`; most blocks are alike."""

    blocks: np.ndarray
    kinds: np.ndarray


@functools.cache
def table() -> Table:
    """The table over all code points."""
    everything = np.arange(_CODES, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    kinds = np.full(_CODES, OTHER, np.int32)
    for kind, pattern in reversed(_PATTERNS.items()):  # the first that fits counts
        for match in regex.finditer(f"(?:{pattern})+", everything):
            kinds[match.start() : match.end()] = kind
    different: dict[bytes, int] = {}
    blocks = [
        different.setdefault(block.tobytes(), len(different)) for block in kinds.reshape(-1, BLOCK)
    ]
    return Table(np.array(blocks, np.int32), np.frombuffer(b"".join(different), np.int32))
