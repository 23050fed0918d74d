"""From tokens to the parts of a text that are read by themselves, and from tagged tokens to entities, as TensorFlow operations."""

from typing import NamedTuple

import tensorflow as tf

# Tokens after which a long text is cut at the next end of a sentence, and after which it is cut anywhere. The recurrence
# reads the parts side by side, so that time and memory stay in proportion to a text's length.
_LONG = 128
_LONGEST = 512


def segments(counts: tf.Tensor, breaks: tf.Tensor, ends_sentence: tf.Tensor) -> tf.Tensor:
    """Tokens of each part that is read by itself, int64 `[parts]`; texts and paragraphs are parts, long ones several.

    Args:
      counts: tokens of each text, int64 `[texts]`.
      breaks: bool `[tokens]`, begins a paragraph.
      ends_sentence: bool `[tokens]`.
    """
    total = tf.reduce_sum(counts)
    text_starts = (
        tf.math.unsorted_segment_sum(
            tf.ones_like(counts), tf.cumsum(counts, exclusive=True), total + 1
        )[:-1]
        > 0
    )
    begins = text_starts | breaks
    place = _place(begins)
    # The first token after the first end of a sentence in each stretch of _LONG tokens.
    after_end = tf.concat([tf.zeros_like(ends_sentence[:1]), ends_sentence[:-1]], 0) & (
        place >= _LONG
    )
    candidates = tf.where(after_end)[:, 0]
    stretch = tf.gather(tf.cumsum(tf.cast(begins, tf.int64)) * 2**32 + place // _LONG, candidates)
    is_first = stretch != tf.concat([stretch[:1] - 1, stretch[:-1]], 0)
    chosen = tf.gather_nd(candidates, tf.where(is_first))
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
