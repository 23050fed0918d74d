"""From texts to tokens with their places, and from tagged tokens to entities, as TensorFlow operations."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.ner import tokens as known_way

_LAST_SPACE = 0x3000  # no separator or control character lies above the ideographic space
_IS_SPACE = np.array([known_way.is_space(chr(code)) for code in range(_LAST_SPACE + 2)])
_IS_LINE_END = np.array([chr(code) in "\n\x0b\x0c\r\x85\u2028\u2029" for code in range(_LAST_SPACE + 2)])

# Tokens after which a long text is cut at the next end of a sentence, and after which it is cut anywhere. The recurrence
# reads the parts side by side, so that time and memory stay in proportion to a text's length.
_LONG = 128
_LONGEST = 512


class Tokens(NamedTuple):
    """The tokens of a batch of texts, as flat values over all texts.

    `counts` int64 `[texts]` of each text; `starts`, `ends` int64 `[tokens]`, code points in their text; `breaks` bool
    `[tokens]`, whether a paragraph begins with the token.
    """

    counts: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    breaks: tf.Tensor


def visible(texts: tf.RaggedTensor) -> tf.RaggedTensor:
    """Whether each character, a code point, belongs to a token: neither a separator nor a control character."""
    return texts.with_values(~tf.gather(tf.constant(_IS_SPACE), tf.minimum(texts.values, _LAST_SPACE + 1)))


def locate(texts: tf.RaggedTensor, surfaces: tf.RaggedTensor) -> Tokens:
    """Where each token stands.

    Args:
      texts: code points int32 `[texts, characters]`.
      surfaces: the known way's tokens `[texts, tokens]`, of which white space alone is missing.
    """
    shown = tf.where(visible(texts).values)[:, 0]  # places among all characters
    lengths = tf.cast(tf.strings.length(surfaces.values, "UTF8_CHAR"), tf.int64)
    first = tf.cumsum(lengths, exclusive=True)
    starts, ends = tf.gather(shown, first), tf.gather(shown, first + lengths - 1) + 1
    text = surfaces.value_rowids()
    codes = tf.minimum(texts.values, _LAST_SPACE + 1)
    lines = tf.cumsum(tf.cast(tf.gather(tf.constant(_IS_LINE_END), codes), tf.int64))
    at_start = tf.gather(lines, starts)
    # A carriage return with a line feed is two characters and ends one line; three mean an empty line in either style.
    between = at_start - tf.concat([at_start[:1], at_start[:-1]], 0)
    origin = tf.gather(texts.row_starts(), text)
    return Tokens(surfaces.row_lengths(), starts - origin, ends - origin, between >= 3)


def segments(counts: tf.Tensor, breaks: tf.Tensor, ends_sentence: tf.Tensor) -> tf.Tensor:
    """Tokens of each part that is read by itself, int64 `[parts]`; texts and paragraphs are parts, long ones several.

    Args:
      counts: tokens of each text, int64 `[texts]`.
      breaks: bool `[tokens]`, begins a paragraph.
      ends_sentence: bool `[tokens]`.
    """
    total = tf.reduce_sum(counts)
    text_starts = tf.math.unsorted_segment_sum(tf.ones_like(counts), tf.cumsum(counts, exclusive=True), total + 1)[:-1] > 0
    begins = text_starts | breaks
    place = _place(begins)
    # The first token after the first end of a sentence in each stretch of _LONG tokens.
    after_end = tf.concat([tf.zeros_like(ends_sentence[:1]), ends_sentence[:-1]], 0) & (place >= _LONG)
    candidates = tf.where(after_end)[:, 0]
    stretch = tf.gather(tf.cumsum(tf.cast(begins, tf.int64)) * 2**32 + place // _LONG, candidates)
    is_first = stretch != tf.concat([stretch[:1] - 1, stretch[:-1]], 0)
    chosen = tf.boolean_mask(candidates, is_first)
    begins = tf.tensor_scatter_nd_update(begins, chosen[:, None], tf.ones_like(chosen, tf.bool))
    begins |= _place(begins) % _LONGEST == 0
    starts = tf.where(begins)[:, 0]
    return tf.concat([starts[1:], [total]], 0) - starts


def _place(begins: tf.Tensor) -> tf.Tensor:
    """How many tokens came before each in its part, int64 `[tokens]`; the first token begins a part."""
    starts = tf.where(begins)[:, 0]
    part = tf.cumsum(tf.cast(begins, tf.int64)) - 1
    return tf.range(tf.size(begins, tf.int64)) - tf.gather(starts, part)


class Entities(NamedTuple):
    """Entities as flat values: `first` and `last` int64 `[entities]`, their first and last token, and label number `tag`."""

    first: tf.Tensor
    last: tf.Tensor
    tag: tf.Tensor


def entities(tags: tf.Tensor, is_begin: tf.Tensor, is_inside: tf.Tensor) -> Entities:
    """The entities of well-formed IOB2 tags.

    Args:
      tags: label numbers `[tokens]`.
      is_begin, is_inside: bool `[labels]`.
    """
    begin, inside = tf.gather(is_begin, tags), tf.gather(is_inside, tags)
    goes_on = tf.concat([inside[1:], tf.zeros_like(inside[:1])], 0)
    first = tf.where(begin)[:, 0]
    return Entities(first, tf.where((begin | inside) & ~goes_on)[:, 0], tf.gather(tags, first))
