"""A batch of sentences as the network takes it, from Transform's flat lists."""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from components.features import text_ops


class Sentences(NamedTuple):
    """A padded batch, as training takes it; every tensor has a row for each sentence, so that a batch can be divided.

    `words`, `shapes`, `joints` int32 `[batch, tokens]`; `affixes` int32 `[batch, tokens, AFFIXES]`; `characters` int32
    `[batch, tokens, characters]`, padded with -1; `keys` int64 `[batch, tokens]`, equal for tokens that look the same; `lengths`
    int32 `[batch]`.
    """

    words: tf.Tensor
    shapes: tf.Tensor
    joints: tf.Tensor
    affixes: tf.Tensor
    characters: tf.Tensor
    keys: tf.Tensor
    lengths: tf.Tensor


class Vocables(NamedTuple):
    """The different tokens of a batch and where they stand: what a token looks like is computed once for each.

    `words`, `shapes`, `joints` int32 `[vocables]`; `affixes` int32 `[vocables, AFFIXES]`; `characters` int32
    `[vocables, characters]`, padded with -1; `tokens` int32 `[all tokens]`, the vocable of each, sentence after sentence; `lengths`
    int32 `[batch]`.
    """

    words: tf.Tensor
    shapes: tf.Tensor
    joints: tf.Tensor
    affixes: tf.Tensor
    characters: tf.Tensor
    tokens: tf.Tensor
    lengths: tf.Tensor


_NUMBERS = tf.TensorSpec([None], tf.int32)
# As many as may be, for a function that is traced once.
VOCABLES = Vocables(
    words=_NUMBERS,
    shapes=_NUMBERS,
    joints=_NUMBERS,
    affixes=tf.TensorSpec([None, text_ops.AFFIXES], tf.int32),
    characters=tf.TensorSpec([None, None], tf.int32),
    tokens=_NUMBERS,
    lengths=_NUMBERS,
)


def sentences_of(features: Mapping[str, tf.SparseTensor]) -> Sentences:
    """A batch of Transform's outputs, padded."""
    counts = text_ops.rows(features["character_counts"])
    lengths = counts.row_lengths()

    def rows(flat, default=0):
        return tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False).to_tensor(default)

    joints = features["joints"].values
    hashes = tf.strings.to_hash_bucket_fast(
        features["surfaces"].values, 2**63 // text_ops.KINDS_OF_JOINT
    )
    return Sentences(
        words=tf.cast(rows(features["words"].values), tf.int32),
        shapes=tf.cast(rows(features["shapes"].values), tf.int32),
        joints=tf.cast(rows(joints), tf.int32),
        affixes=tf.cast(
            rows(tf.reshape(features["affixes"].values, [-1, text_ops.AFFIXES])), tf.int32
        ),
        characters=tf.cast(rows(_characters(features), -1), tf.int32),
        keys=rows(hashes * text_ops.KINDS_OF_JOINT + joints),
        lengths=tf.cast(lengths, tf.int32),
    )


def vocables_of_sentences(sentences: Sentences) -> Vocables:
    """The different tokens of a padded batch."""
    present = tf.where(tf.sequence_mask(sentences.lengths, tf.shape(sentences.keys)[1]))
    keys, tokens = tf.unique(tf.gather_nd(sentences.keys, present))
    places = tf.range(tf.size(tokens))
    first = tf.gather(present, tf.math.unsorted_segment_min(places, tokens, tf.size(keys)))
    return Vocables(
        *(tf.gather_nd(values, first) for values in sentences[:5]), tokens, sentences.lengths
    )


def vocables_of_features(
    features: Mapping[str, tf.SparseTensor],
    words: tf.Tensor,
    places: tf.Tensor,
    joints: tf.Tensor,
    lengths: tf.Tensor,
) -> Vocables:
    """Vocables from Transform's outputs for one sentence that holds each different token once.

    Args:
      words: ids of these, int64.
      places: for all tokens, sentence after sentence, which of these each is, int32 `[all tokens]`.
      joints: what each is joined to, int32 `[all tokens]`.
      lengths: tokens of each sentence.
    """
    different, tokens = tf.unique(places * text_ops.KINDS_OF_JOINT + joints)
    rows = different // text_ops.KINDS_OF_JOINT
    return Vocables(
        words=tf.cast(tf.gather(words, rows), tf.int32),
        shapes=tf.cast(tf.gather(features["shapes"].values, rows), tf.int32),
        joints=different % text_ops.KINDS_OF_JOINT,
        affixes=tf.cast(
            tf.gather(tf.reshape(features["affixes"].values, [-1, text_ops.AFFIXES]), rows),
            tf.int32,
        ),
        characters=tf.cast(tf.gather(_characters(features), rows), tf.int32),
        tokens=tokens,
        lengths=tf.cast(lengths, tf.int32),
    )


def _characters(features: Mapping[str, tf.SparseTensor]) -> tf.Tensor:
    rows = tf.RaggedTensor.from_row_lengths(
        features["characters"].values, features["character_counts"].values, validate=False
    )
    return rows.to_tensor(-1)
