"""The known way of tokenising, and what a tagger looks at in a token, as TensorFlow operations.

Every function works on the flat values of a ragged tensor, uses TensorFlow's own operations only (stock TensorFlow Serving
has no others), and treats each token alone: no answer depends on who shares the batch. Invalid UTF-8 is replaced by U+FFFD
before anything looks at it.
"""

import tensorflow as tf

from components.ner import tokens as known_way

# A unit separator is a control character: the known way never has one inside a token, so it can mark the cuts.
_CUT = "\x1f"
# Stands for a corpus token with nothing visible in it (empty, a lone space), so that each corpus token has a tag.
BLANK = "\u2400"

PREFIX_LENGTHS = (2, 3)
SUFFIX_LENGTHS = (2, 3)
AFFIXES = len(PREFIX_LENGTHS) + len(SUFFIX_LENGTHS)

# Word shapes, tried in this order; a shape's number is its place in the table plus one, 0 means none of them.
_SENTENCE_END = r"[.!?\x{3002}\x{0964}\x{06D4}]"
_SHAPES = (
    r"\p{Nd}+",  # 2024
    r"\p{Lu}",  # A
    r"\p{Lu}[\p{Ll}\p{M}]+",  # Anna
    r"[\p{Lu}\p{M}]+",  # NATO
    r"[\p{Ll}\p{M}]+",  # anna
    r"\p{Ll}[\p{L}\p{M}]*\p{Lu}[\p{L}\p{M}]*",  # iPhone
    r"\p{Lu}[\p{L}\p{M}]*",  # McKay
    r"[\p{L}\p{M}]+",  # a script without case
    r"\p{L}[\p{L}\p{M}\p{N}]*",  # B2, covid19
    r"\p{N}[\p{L}\p{M}\p{N}]*",  # 5mg, 21st
    _SENTENCE_END,
    r"\p{P}",  # other punctuation
    r"\p{S}",  # symbols, emoji
)
SHAPES = len(_SHAPES) + 1


def clean(text: tf.Tensor) -> tf.Tensor:
    """Strings of any shape with every invalid UTF-8 sequence replaced by U+FFFD, a byte for a character."""
    return tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")


def split_tokens(pieces: tf.Tensor) -> tf.RaggedTensor:
    """Cuts strings into tokens the known way (`components.ner.tokens`, of which this is the twin).

    Args:
      pieces: string `[n]`, valid UTF-8.

    Returns:
      Ragged string `[n, tokens]`; concatenated, a row is its piece without white space and control characters. A piece
      without anything visible gives the one token `BLANK`.
    """
    # Characters of spaceless scripts are cut out first: RE2 has no lookahead to keep them out of a run.
    cut = tf.strings.regex_replace(pieces, f"({known_way.ALONE})", rf"{_CUT}\1{_CUT}")
    cut = tf.strings.regex_replace(cut, f"({known_way.RUN}|{known_way.SINGLE})", rf"{_CUT}\1{_CUT}")
    cut = tf.strings.regex_replace(cut, f"{known_way.SPACE}+", _CUT)
    cut = tf.strings.regex_replace(cut, f"^{_CUT}+|{_CUT}+$", "")
    cut = tf.where(cut == "", BLANK, cut)
    return tf.strings.split(cut, _CUT)


def normalize(tokens: tf.Tensor) -> tf.Tensor:
    """The form under which words are counted and looked up: lower case, every decimal digit a 0. Any shape."""
    return tf.strings.regex_replace(tf.strings.lower(tokens, "utf-8"), r"\p{Nd}", "0")


def shape_ids(tokens: tf.Tensor) -> tf.Tensor:
    """The number of each token's word shape, int64 in `[0, SHAPES)`. Any shape."""
    ids = tf.zeros_like(tokens, tf.int64)
    for number, pattern in reversed(list(enumerate(_SHAPES, start=1))):
        ids = tf.where(tf.strings.regex_full_match(tokens, pattern), tf.constant(number, tf.int64), ids)
    return ids


def ends_sentence(tokens: tf.Tensor) -> tf.Tensor:
    """Whether each token may end a sentence, bool. Any shape."""
    return tf.strings.regex_full_match(tokens, _SENTENCE_END)


def affixes(words: tf.Tensor) -> tf.Tensor:
    """Prefixes and suffixes of normalised words, each marked by its side: string `[n]` to string `[n, AFFIXES]`.

    A word shorter than the affix is its own affix.
    """
    length = tf.strings.length(words, "UTF8_CHAR")
    heads = ["^" + tf.strings.substr(words, tf.zeros_like(length), tf.fill(tf.shape(length), n), "UTF8_CHAR")
             for n in PREFIX_LENGTHS]
    tails = [tf.strings.substr(words, tf.maximum(length - n, 0), tf.fill(tf.shape(length), n), "UTF8_CHAR") + "$"
             for n in SUFFIX_LENGTHS]
    return tf.stack(heads + tails, axis=1)


def characters(tokens: tf.Tensor, longest: int) -> tf.RaggedTensor:
    """The characters of each token, `[n]` to ragged `[n, characters]`; of a long token its first and last `longest // 2`."""
    chars = tf.strings.unicode_split(tokens, "UTF-8")
    lengths = chars.row_lengths()
    half = longest // 2
    place = tf.ragged.range(lengths)
    keep = (place < half) | (place >= tf.expand_dims(lengths - (longest - half), 1))
    return tf.ragged.boolean_mask(chars, keep)
