"""A batch of sentences as the network takes it, from Transform's flat lists."""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from components.features import text_ops


class Sentences(NamedTuple):
    """A batch of sentences as the network takes it, int32, padded with anything.

    `words`, `shapes` `[batch, tokens]`; `affixes` `[batch, tokens, AFFIXES]`; `characters` `[batch, tokens, characters]`,
    padded with -1; `lengths` `[batch]`.
    """

    words: tf.Tensor
    shapes: tf.Tensor
    affixes: tf.Tensor
    characters: tf.Tensor
    lengths: tf.Tensor


def sentences_of(features: Mapping[str, tf.SparseTensor], lengths: tf.Tensor | None = None) -> Sentences:
    """Transform's flat lists as the network takes them.

    Args:
      features: a batch of Transform's outputs.
      lengths: tokens of each sentence, int64 `[sentences]`; by default a sentence is a row of the batch. Any other cut of
        the same tokens will do.
    """
    counts = tf.RaggedTensor.from_sparse(features["character_counts"])
    if lengths is None:
        lengths = counts.row_lengths()

    def rows(flat, default=0):
        return tf.cast(tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False).to_tensor(default), tf.int32)

    characters = tf.RaggedTensor.from_row_lengths(features["characters"].values, counts.values, validate=False)
    return Sentences(
        words=rows(features["words"].values),
        shapes=rows(features["shapes"].values),
        affixes=rows(tf.reshape(features["affixes"].values, [-1, text_ops.AFFIXES])),
        characters=rows(characters.to_tensor(-1), -1),
        lengths=tf.cast(lengths, tf.int32))
