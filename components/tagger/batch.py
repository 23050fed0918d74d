"""Batches of sentences, from transformed examples to what the tagger takes: padded, as unique
tokens, and packed.

`load_batches` reads padded batches (`Sentences`), for training. The network computes the features
of each distinct token once (`UniqueTokens`). The recurrences read all first tokens of the batch,
then all second ones and so on, without padding (`Packing`).

In flat order the tokens of a batch are one list, sentence after sentence: `[tokens]` stands for all
tokens of the batch.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from components.features import text_ops
from components.features.text_ops import row_ids

# Tag id of all model tokens of a corpus token but the first, where entities are counted over corpus
# tokens.
IGNORE_INDEX = -1
# Sentences of similar length share a batch; the bucket boundaries, in tokens.
_BOUNDARIES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
# Tokens from which on batches have fewer sentences, so that the memory of a step stays bounded.
_LONG = 128
_PREFETCH = 4  # batches that are made before they are asked for, or parsed in parallel
_CACHED_BYTES = 1 << 30  # serialized size up to which a split stays in memory over the epochs
_GZIP_RATIO = 5  # serialized size by compressed size, roughly


class Sentences(NamedTuple):
    """A padded batch. Every tensor has one row a sentence, so that replicas can divide the batch.

    Attributes:
        words: word ids, int32 [sentences, longest].
        shapes: word shapes, int32 [sentences, longest].
        preceding_chars: see `text_ops.Tokens`, int32 [sentences, longest].
        affixes: affix ids, int32 [sentences, longest, AFFIX_COUNT].
        characters: character ids, padded with -1, int32 [sentences, longest, characters].
        keys: equal for tokens with equal features, int64 [sentences, longest].
        lengths: tokens of each sentence, int32 [sentences].
    """

    words: tf.Tensor
    shapes: tf.Tensor
    preceding_chars: tf.Tensor
    affixes: tf.Tensor
    characters: tf.Tensor
    keys: tf.Tensor
    lengths: tf.Tensor


class UniqueTokens(NamedTuple):
    """The distinct tokens of a batch, and which of them each token is.

    Attributes:
        words: word ids, int32 [unique].
        shapes: word shapes, int32 [unique].
        preceding_chars: see `text_ops.Tokens`, int32 [unique].
        affixes: affix ids, int32 [unique, AFFIX_COUNT].
        characters: character ids, padded with -1, int32 [unique, characters].
        indices: index of each token in the above, int32 [tokens].
        lengths: tokens of each sentence, int32 [sentences].
    """

    words: tf.Tensor
    shapes: tf.Tensor
    preceding_chars: tf.Tensor
    affixes: tf.Tensor
    characters: tf.Tensor
    indices: tf.Tensor
    lengths: tf.Tensor


class Packing(NamedTuple):
    """Where the tokens of a batch are in packed order: at step t the t-th token of every sentence
    that has one, the longest sentence first. A recurrence over packed tokens spends no work on
    padding.

    Each direction has its own packed order. Backward, step 0 has the last tokens.

    Attributes:
        lengths: tokens of each sentence, int32 [sentences].
        sentence_ids: the sentence of each token, int32 [tokens].
        active: sentences that have a token at each step, int32 [steps].
        forward: packed position of each token, in flat order, int32 [tokens].
        backward: the same for the backward direction, int32 [tokens].
    """

    lengths: tf.Tensor
    sentence_ids: tf.Tensor
    active: tf.Tensor
    forward: tf.Tensor
    backward: tf.Tensor

    @property
    def is_first(self) -> tf.Tensor:
        """Which tokens begin a sentence, bool [tokens]."""
        return self.sentence_ids != tf.concat([[-1], self.sentence_ids[:-1]], 0)

    @property
    def is_last(self) -> tf.Tensor:
        """Which tokens end a sentence, bool [tokens]."""
        return self.sentence_ids != tf.concat([self.sentence_ids[1:], [-1]], 0)


# Specs for functions that are traced once, for batches of any size.
_IDS = tf.TensorSpec([None], tf.int32)
PACKING_SPEC = Packing(*[_IDS] * len(Packing._fields))
UNIQUE_TOKENS_SPEC = UniqueTokens(
    words=_IDS,
    shapes=_IDS,
    preceding_chars=_IDS,
    affixes=tf.TensorSpec([None, text_ops.AFFIX_COUNT], tf.int32),
    characters=tf.TensorSpec([None, None], tf.int32),
    indices=_IDS,
    lengths=_IDS,
)


class PretrainedOnlyWords(tf.Module):
    """Ids of words that have a pretrained vector and are not in train. The table is saved with the
    model.
    """

    def __init__(self, words: tuple[str, ...], vocabulary_size: int):
        super().__init__(name="pretrained_only_words")
        self._unknown = vocabulary_size
        ids = tf.range(len(words), dtype=tf.int64) + vocabulary_size + 1
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(words), ids), vocabulary_size
        )

    def replace_unknown(self, words: tf.Tensor, surfaces: tf.Tensor) -> tf.Tensor:
        """Replaces the id of the unknown word where the token has an id here.

        Args:
            words: word ids, int64 [tokens].
            surfaces: the tokens, string [tokens].
        """
        found = self._table.lookup(text_ops.normalize(surfaces))
        return tf.where(words == self._unknown, found, words)


def load_batches(
    files: Sequence[str],
    feature_spec: Mapping[str, tf.io.VarLenFeature],
    batch_size: int,
    shuffle_seed: int | None,
    pretrained_only: PretrainedOnlyWords | None = None,
    corpus_tags: bool = False,
) -> tf.data.Dataset:
    """Makes batches `(Sentences, tag ids int32 [sentences, longest])` of sentences of similar
    length.

    Args:
        files: gzipped TFRecord files of transformed examples.
        feature_spec: Transform's output spec.
        batch_size: sentences a batch; fewer where sentences are long.
        shuffle_seed: shuffles each epoch differently, and the same way for the same seed; None
            keeps the order of the files.
        pretrained_only: ids of words that have a pretrained vector and are not in train.
        corpus_tags: whether to give the further model tokens of a corpus token the tag id
            `IGNORE_INDEX`.
    """

    def parse(serialized: tf.Tensor) -> tuple[Sentences, tf.Tensor]:
        features = tf.io.parse_example(serialized, feature_spec)
        tag_ids = tf.cast(tf.sparse.to_dense(features["tag_ids"]), tf.int32)
        if corpus_tags:
            tag_ids = tf.where(tf.sparse.to_dense(features["begins"]) > 0, tag_ids, IGNORE_INDEX)
        if pretrained_only is not None:
            words, surfaces = features["words"], features["surfaces"]
            features["words"] = words.with_values(
                pretrained_only.replace_unknown(words.values, surfaces.values)
            )
        return padded_sentences(features), tag_ids

    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
    # Parsing many examples at once is far faster; batches by length are then put together from
    # single sentences.
    sentences = records.batch(256).map(parse, _PREFETCH, deterministic=True).unbatch()
    sentences = sentences.map(_remove_padding)
    if sum(tf.io.gfile.stat(file).length for file in files) * _GZIP_RATIO < _CACHED_BYTES:
        sentences = sentences.cache()
    if shuffle_seed is not None:
        sentences = sentences.shuffle(50_000, seed=shuffle_seed)
    batch_sizes = [
        batch_size if end <= _LONG else max(1, batch_size * _LONG // end)
        for end in (*_BOUNDARIES, 1024)
    ]
    batches = sentences.bucket_by_sequence_length(
        lambda sentence, tag_ids: sentence.lengths,
        _BOUNDARIES,
        batch_sizes,
        padding_values=(Sentences(0, 0, 0, 0, -1, tf.constant(0, tf.int64), 0), 0),
    )
    if shuffle_seed is not None:
        # Otherwise the last batches of an epoch are the ones of unusual length.
        batches = batches.shuffle(64, seed=shuffle_seed)
    options = tf.data.Options()
    # Autotuning has a thread that is waited for at the end of an epoch, often for seconds.
    options.autotune.enabled = False
    return batches.prefetch(_PREFETCH).with_options(options)


def _remove_padding(sentence: Sentences, tag_ids: tf.Tensor) -> tuple[Sentences, tf.Tensor]:
    """Removes the padding that a sentence, without the batch dimension, has from the others that
    were parsed with it.
    """
    length = sentence.lengths
    trimmed = Sentences(*(part[:length] for part in sentence[:-1]), lengths=length)
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(trimmed.characters >= 0, tf.int32), 1))
    return trimmed._replace(characters=trimmed.characters[:, :longest]), tag_ids[:length]


def padded_sentences(features: Mapping[str, tf.SparseTensor]) -> Sentences:
    """Makes a padded batch of Transform's outputs."""
    lengths = text_ops.ragged_rows(features["character_counts"]).row_lengths()

    def padded(flat: tf.Tensor, default: int = 0) -> tf.Tensor:
        ragged = tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False)
        return tf.cast(ragged.to_tensor(default), tf.int32)

    preceding_chars = features["preceding_chars"].values
    hashes = tf.strings.to_hash_bucket_fast(
        features["surfaces"].values, 2**63 // text_ops.PRECEDING_CHAR_COUNT
    )
    keys = hashes * text_ops.PRECEDING_CHAR_COUNT + preceding_chars
    return Sentences(
        words=padded(features["words"].values),
        shapes=padded(features["shapes"].values),
        preceding_chars=padded(preceding_chars),
        affixes=padded(_affix_rows(features)),
        characters=padded(_character_rows(features).to_tensor(-1), -1),
        keys=tf.RaggedTensor.from_row_lengths(keys, lengths, validate=False).to_tensor(0),
        lengths=tf.cast(lengths, tf.int32),
    )


def unique_tokens_of_sentences(sentences: Sentences) -> UniqueTokens:
    """Finds the distinct tokens of a padded batch."""
    present = tf.where(tf.sequence_mask(sentences.lengths, tf.shape(sentences.keys)[1]))
    keys, indices = tf.unique(tf.gather_nd(sentences.keys, present))
    positions = tf.range(tf.size(indices))
    first = tf.math.unsorted_segment_min(positions, indices, tf.size(keys))
    first = tf.gather(present, first)  # (unique, 2): sentence, position
    return UniqueTokens(
        *(tf.gather_nd(values, first) for values in sentences[:5]), indices, sentences.lengths
    )


def unique_tokens_of_surfaces(
    features: Mapping[str, tf.SparseTensor],
    words: tf.Tensor,
    surface_indices: tf.Tensor,
    preceding_chars: tf.Tensor,
    lengths: tf.Tensor,
) -> UniqueTokens:
    """Finds the distinct tokens of a batch whose distinct surfaces Transform has seen as one
    sentence.

    Args:
        features: Transform's outputs for the distinct surfaces.
        words: their word ids, int64 [surfaces].
        surface_indices: which of the surfaces each token has, int32 [tokens].
        preceding_chars: see `text_ops.Tokens`, int32 [tokens].
        lengths: tokens of each sentence, [sentences].
    """
    keys, indices = tf.unique(surface_indices * text_ops.PRECEDING_CHAR_COUNT + preceding_chars)
    rows = keys // text_ops.PRECEDING_CHAR_COUNT  # (unique)
    return UniqueTokens(
        words=tf.cast(tf.gather(words, rows), tf.int32),
        shapes=tf.cast(tf.gather(features["shapes"].values, rows), tf.int32),
        preceding_chars=keys % text_ops.PRECEDING_CHAR_COUNT,
        affixes=tf.cast(tf.gather(_affix_rows(features), rows), tf.int32),
        characters=tf.cast(tf.gather(_character_rows(features).to_tensor(-1), rows), tf.int32),
        indices=indices,
        lengths=tf.cast(lengths, tf.int32),
    )


def pack(lengths: tf.Tensor) -> Packing:
    """Computes the packing of sentences of these lengths, int32 [sentences]."""
    rank = tf.math.invert_permutation(tf.argsort(lengths, direction="DESCENDING", stable=True))
    sentence_ids = row_ids(lengths)
    step = tf.range(tf.size(sentence_ids)) - tf.gather(
        tf.cumsum(lengths, exclusive=True), sentence_ids
    )
    step_backward = tf.gather(lengths, sentence_ids) - 1 - step
    active = tf.reduce_sum(tf.cast(tf.sequence_mask(lengths), tf.int32), 0)
    step_starts = tf.cumsum(active, exclusive=True)
    token_rank = tf.gather(rank, sentence_ids)
    return Packing(
        lengths,
        sentence_ids,
        active,
        forward=tf.gather(step_starts, step) + token_rank,
        backward=tf.gather(step_starts, step_backward) + token_rank,
    )


def _affix_rows(features: Mapping[str, tf.SparseTensor]) -> tf.Tensor:
    """Affix ids, int64 [tokens, AFFIX_COUNT]."""
    return tf.reshape(features["affixes"].values, [-1, text_ops.AFFIX_COUNT])


def _character_rows(features: Mapping[str, tf.SparseTensor]) -> tf.RaggedTensor:
    """Character ids, int64, ragged [tokens, None]."""
    return tf.RaggedTensor.from_row_lengths(
        features["characters"].values, features["character_counts"].values, validate=False
    )
