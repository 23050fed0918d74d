"""From transformed examples to batches of `Sentences` and their tags."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from components.tagger.sentences import Sentences, sentences_of
from components.tagger.tagger import OtherWords
from components.training.corpus_tags import NO_TAG

# Sentences of like length share a batch; the boundaries are tokens.
_BOUNDARIES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
_LONG = 128  # from here on batches shrink with length, so that a step's memory stays bounded
_AHEAD = 4  # batches that are made before they are asked for, or parsed side by side
_CACHED_BYTES = 1 << 30  # serialised size up to which a split is kept in memory over the epochs


def batches(
    files: Sequence[str],
    feature_spec: Mapping[str, tf.io.VarLenFeature],
    batch_size: int,
    shuffle_seed: int | None,
    others: OtherWords | None = None,
    as_corpus: bool = False,
) -> tf.data.Dataset:
    """Batches `(Sentences, tags int32 [batch, tokens])` of sentences of like length.

    Args:
      files: gzipped TFRecord files of transformed examples.
      feature_spec: Transform's output spec.
      batch_size: sentences a batch; fewer where sentences are long.
      shuffle_seed: shuffles anew each epoch, the same way for the same seed; None keeps the files' order.
      others: words outside the vocabulary that have vectors.
      as_corpus: tags as the corpus has them, for counting: `NO_TAG` at the further parts of a corpus token.
    """

    def parse(serialized):
        features = tf.io.parse_example(serialized, feature_spec)
        tags = tf.cast(tf.sparse.to_dense(features["tag_ids"]), tf.int32)
        if as_corpus:
            tags = tf.where(tf.sparse.to_dense(features["begins"]) > 0, tags, NO_TAG)
        if others is not None:
            words, surfaces = features["words"], features["surfaces"]
            features["words"] = words.with_values(others.ids(words.values, surfaces.values))
        return sentences_of(features), tags

    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
    # Parsing many at once is far faster than one by one; batches by length are then put together from single sentences.
    sentences = records.batch(256).map(parse, _AHEAD, deterministic=True).unbatch().map(_trimmed)
    if (
        sum(tf.io.gfile.stat(file).length for file in files) * 5 < _CACHED_BYTES
    ):  # gzip takes about a fifth
        sentences = sentences.cache()
    if shuffle_seed is not None:
        sentences = sentences.shuffle(50_000, seed=shuffle_seed)
    sizes = [
        max(1, batch_size if end <= _LONG else batch_size * _LONG // end)
        for end in (*_BOUNDARIES, 1024)
    ]
    grouped = sentences.bucket_by_sequence_length(
        lambda sentence, tags: sentence.lengths,
        _BOUNDARIES,
        sizes,
        padding_values=(Sentences(0, 0, 0, 0, -1, tf.constant(0, tf.int64), 0), 0),
    )
    if shuffle_seed is not None:
        grouped = grouped.shuffle(
            64, seed=shuffle_seed
        )  # the last batches of an epoch are else the odd lengths
    options = tf.data.Options()
    # Its thread is waited for at the end of an epoch, often for seconds in which nothing is computed.
    options.autotune.enabled = False
    return grouped.prefetch(_AHEAD).with_options(options)


def _trimmed(sentence: Sentences, tags: tf.Tensor) -> tuple[Sentences, tf.Tensor]:
    """One sentence without the padding that its neighbours at parsing brought."""
    n = sentence.lengths
    characters = sentence.characters[:n]
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(characters >= 0, tf.int32), 1))
    trimmed = {
        name: getattr(sentence, name)[:n]
        for name in ("words", "shapes", "joints", "affixes", "keys")
    }
    return Sentences(**trimmed, characters=characters[:, :longest], lengths=n), tags[:n]
