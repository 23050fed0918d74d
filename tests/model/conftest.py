"""Fixtures of the model tests."""

from pathlib import Path

import pytest
import tensorflow as tf

from components.features import text_ops
from components.ner.tags import label_map
from components.settings import Model
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger

LABELS = label_map(["ORG", "PER"])
SMALL = Model(
    word_dimensions=4,
    vector_units=6,
    character_dimensions=3,
    character_filters=4,
    shape_dimensions=2,
    affix_dimensions=2,
    lstm_units=5,
)
_WORDS, _AFFIXES, _CHARACTERS = 50, 40, 30


def transformed(inputs):
    """Replaces Transform's graph: the same features, with hashes instead of vocabularies."""
    tokens = text_ops.split_tokens(inputs["tokens"].values)
    words = text_ops.normalize(tokens.surfaces)
    codes, counts = text_ops.characters(tokens, 20)
    counts = tf.cast(counts, tf.int64)
    rows = tf.RaggedTensor.from_row_splits(
        tokens.surfaces, [0, tf.size(words, tf.int64)]
    ).to_sparse()

    def flat(values):
        indices = tf.stack([tf.zeros_like(values), tf.range(tf.size(values, tf.int64))], 1)
        return tf.SparseTensor(indices, values, tf.stack([1, tf.size(values, tf.int64)]))

    return {
        "words": flat(tf.strings.to_hash_bucket_fast(words, _WORDS)),
        "affixes": flat(
            tf.reshape(tf.strings.to_hash_bucket_fast(text_ops.affixes(words), _AFFIXES), [-1])
        ),
        "characters": flat(tf.cast(codes, tf.int64) % _CHARACTERS),
        "character_counts": flat(counts),
        "shapes": flat(text_ops.shapes(tokens)),
        "preceding_chars": flat(tf.cast(tokens.preceding_chars, tf.int64)),
        "surfaces": rows,
    }


class Transform(tf.Module):
    """A module that can be saved."""

    def __call__(self, inputs, wanted):
        found = transformed(inputs)
        return {name: found[name] for name in wanted}


def make_tagger(settings=SMALL, seed=3, others=()):
    """An untrained tagger whose weights are large enough to predict every tag."""
    sizes = Sizes(_WORDS, _CHARACTERS, _AFFIXES, vectors=settings.word_dimensions if others else 0)
    tagger = Tagger(sizes, LABELS, settings, others)
    random = tf.random.Generator.from_seed(seed)
    for weight in tagger.trainable_weights:
        weight.assign(random.normal(weight.shape, stddev=0.8))
    return tagger


@pytest.fixture(scope="session")
def tagger():
    return make_tagger()


@pytest.fixture(scope="session")
def transform():
    return Transform()


@pytest.fixture
def real_corpora():
    """The folder of real corpora, which is outside the project; skips the test without it."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(
            "the real corpora are not here: expected a folder shared/corpora beside the project's"
        )
    return folder
