"""Characters in a token that a reader of the text would not see, or would not expect."""

from __future__ import annotations

import re
import unicodedata

ZERO_WIDTH = "zero-width or direction marks"
CONTROL = "control characters"
REPLACEMENT = "replacement characters (U+FFFD)"
MOJIBAKE = "UTF-8 once read as another encoding (like Ã© for é)"
NOT_NFC = "characters not in Unicode's composed form (NFC)"
EMPTY = "nothing visible at all (empty, or white space)"
ESCAPED = "escapes in place of characters (-LRB-, &amp;)"
SPACED = "white space at its edge"
KINDS = (ZERO_WIDTH, CONTROL, REPLACEMENT, MOJIBAKE, NOT_NFC, EMPTY, SPACED, ESCAPED)

# Zero-width joiners and variation selectors belong to many emoji and scripts: they are not odd.
_ESCAPE = re.compile(
    r"-(?:LRB|RRB|LSB|RSB|LCB|RCB)-|&(?:amp|lt|gt|quot|apos|nbsp|#\d+|#x[0-9A-Fa-f]+);|``|\\[/*]"
)
_PATTERNS = {
    ZERO_WIDTH: re.compile(
        "[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]"
    ),
    CONTROL: re.compile("[\x00-\x1f\x7f-\x9f]"),
    REPLACEMENT: re.compile("\ufffd"),
    MOJIBAKE: re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac|\u00ef\u00bb\u00bf"),
}


def has_escapes(text: str) -> bool:
    """Whether a text has escapes of HTML or the Penn Treebank, which tokenization may split."""
    return ("&" in text or "-" in text) and _ESCAPE.search(text) is not None


def odd_kinds(token: str) -> list[str]:
    """The kinds of odd characters in a token, in the order of `KINDS`.

    >>> odd_kinds("caf\\u00c3\\u00a9") == [MOJIBAKE], odd_kinds("café")
    (True, [])
    """
    if token.isascii() and token.isalnum():
        return []
    kinds = [kind for kind, pattern in _PATTERNS.items() if pattern.search(token)]
    if not unicodedata.is_normalized("NFC", token):
        kinds.append(NOT_NFC)
    if _ESCAPE.fullmatch(token):
        kinds.append(ESCAPED)
    if not token.strip():
        kinds.append(EMPTY)
    elif token != token.strip():
        kinds.append(SPACED)
    return kinds
