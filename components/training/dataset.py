"""Batches of sentences and their tags, from transformed examples, and how entities are counted on
them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.ner import tags
from components.ner.sentence import Span
from components.tagger.batch import Sentences, padded_sentences
from components.tagger.tagger import PretrainedOnlyWords

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
    characters = sentence.characters[:length]
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(characters >= 0, tf.int32), 1))
    trimmed = {
        name: getattr(sentence, name)[:length]
        for name in ("words", "shapes", "preceding_chars", "affixes", "keys")
    }
    characters = characters[:, :longest]
    return Sentences(**trimmed, characters=characters, lengths=length), tag_ids[:length]


def corpus_spans(tag_ids: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> tuple[Span, ...]:
    """Returns the entities over corpus tokens: a corpus token has the tag of its first model token.

    >>> corpus_spans(np.array([1, 2, 0]), np.array([1, -1, 0]), ("O", "B-PER", "I-PER"))
    (Span(start=0, end=1, type='PER'),)

    Args:
        tag_ids: of the model tokens of a sentence, int [tokens].
        gold: `IGNORE_INDEX` where a model token does not begin a corpus token, int [tokens].
        labels: the tags by id.
    """
    return tags.spans_of([labels[tag_id] for tag_id in tag_ids[gold != IGNORE_INDEX]], "IOB2")
