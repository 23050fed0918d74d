"""The tagger's network: what a token looks like, in, and a score for each tag, out.

A token is its word, its characters (a CNN, as Ma and Hovy 2016), its word shape and its affixes; a BiLSTM reads the
sentence (Huang, Xu and Yu 2015), a dense layer scores the tags. No answer depends on who shares the batch.
"""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from components.features import text_ops
from components.settings import Model
from components.tagger import recurrence
from components.tagger.sentences import Vocables


class Sizes(NamedTuple):
    """Sizes of the vocabularies; an id equal to the size stands for everything outside.

    `vectors` is the width of pretrained vectors, 0 for none; `others` is the number of words that have one and are not in the
    vocabulary: their ids lie above that of the unknown word.
    """

    words: int
    characters: int
    affixes: int
    vectors: int = 0
    others: int = 0


def embedding(size: int, width: int, name: str) -> keras.layers.Embedding:
    """An embedding whose vectors begin small: a word seen once or twice then says little, and its form speaks for it. On
    a small corpus the tagger learnt the more slowly the larger they began.
    """
    layer = keras.layers.Embedding(size, width, "uniform", name=name)
    # Keras would build on a first call with made-up inputs, of floats where these are whole numbers.
    layer.build(None)
    return layer


class CharacterCNN(keras.layers.Layer):
    """The strongest response of each filter over a token's characters: `[tokens, characters]` to `[tokens, filters]`."""

    def __init__(self, characters: int, settings: Model):
        super().__init__(name="characters")
        # 0 is the padding, the last row everything outside the vocabulary.
        self.embedding = embedding(characters + 2, settings.character_dimensions, "embedding")
        self.convolution = keras.layers.Conv1D(settings.character_filters, settings.character_window, padding="same")
        self.convolution.build((None, None, settings.character_dimensions))
        self.built = True

    def call(self, characters: tf.Tensor) -> tf.Tensor:
        present = tf.cast(characters >= 0, tf.float32)[:, :, None]
        responses = self.convolution(self.embedding(characters + 1) * present)
        # Padding must not win: a token's answer would depend on the longest token beside it.
        return tf.nn.relu(tf.reduce_max(responses * present - 1e4 * (1 - present), axis=1))


class BiLSTM(keras.layers.Layer):
    """Reads each sentence from both sides: to `[all tokens, 2 * units]`."""

    def __init__(self, width: int, units: int, name: str):
        super().__init__(name=name)
        self.units = units
        self.kernel = self.add_weight(shape=(width, 8 * units), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(8 * units,), initializer=_forget_little, name="bias")
        self.recurrent = [
            self.add_weight(shape=(units, 4 * units), initializer="orthogonal", name=name) for name in ("ahead", "back")
        ]
        self.built = True

    def call(
        self, vectors: tf.Tensor, tokens: tf.Tensor, packing: recurrence.Packing, training: bool = False
    ) -> tf.Tensor:
        """Args: `vectors` float32 `[vocables, width]`; `tokens` int32 `[all tokens]`, the row of each in `vectors`."""
        read = recurrence.read_for_training if training else recurrence.read
        projected = tf.split(vectors @ self.kernel + self.bias, 2, axis=1)
        outputs = []
        for weights, part, places in zip(self.recurrent, projected, (packing.ahead, packing.back)):
            packed = read(tf.gather(part, tf.gather(tokens, places)), packing.counts, tf.convert_to_tensor(weights))
            outputs.append(recurrence.unpacked(packed, places))
        return tf.concat(outputs, axis=1)


def _forget_little(shape, dtype=None):
    """Zeros, and ones for the forget gates of both directions (Jozefowicz, Zaremba and Sutskever 2015)."""
    zeros, ones = tf.zeros([shape[0] // 8], dtype), tf.ones([shape[0] // 8], dtype)
    return tf.concat([zeros, ones, zeros, zeros] * 2, 0)


class Network(keras.layers.Layer):
    """`Vocables` to emissions float32 `[batch, tokens, tags]`."""

    def __init__(self, sizes: Sizes, tags: int, settings: Model):
        super().__init__(name="network")
        self.sizes, self.settings, self.tags = sizes, settings, tags
        word_width = sizes.vectors or settings.word_dimensions
        self.words = embedding(sizes.words + 1, word_width, "words")
        # Never seen in training, so never moved.
        self.others = (
            self.add_weight(shape=(sizes.others, word_width), initializer="zeros", trainable=False, name="others")
            if sizes.others
            else None
        )
        self.shapes = embedding(text_ops.SHAPES, settings.shape_dimensions, "shapes")
        self.affixes = embedding(sizes.affixes + 1, settings.affix_dimensions, "affixes")
        self.characters = CharacterCNN(sizes.characters, settings)
        width = (
            word_width
            + settings.character_filters
            + settings.shape_dimensions
            + text_ops.AFFIXES * settings.affix_dimensions
        )
        self.readers = []
        for n in range(settings.lstm_layers):
            self.readers.append(BiLSTM(width, settings.lstm_units, f"bilstm_{n}"))
            width = 2 * settings.lstm_units
        self.dropout = keras.layers.Dropout(settings.dropout)
        self.emissions = keras.layers.Dense(tags, name="emissions")
        self.emissions.build((None, width))
        self.built = True

    def call(self, batch: Vocables, training: bool = False) -> tf.Tensor:
        packing = recurrence.packing(batch.lengths)
        vectors, tokens = self._vectors(batch, training), batch.tokens
        for reader in self.readers:
            vectors = reader(self.dropout(vectors, training=training), tokens, packing, training=training)
            tokens = tf.range(tf.size(tokens))
        emissions = self.emissions(self.dropout(vectors, training=training))
        return tf.RaggedTensor.from_row_lengths(emissions, batch.lengths, validate=False).to_tensor()

    def _vectors(self, batch: Vocables, training: bool) -> tf.Tensor:
        """What each vocable looks like, float32 `[vocables, width]`."""
        words = batch.words
        if training and self.settings.word_dropout:
            # As if unseen, so that the other features learn to stand in (Lample et al. 2016 do it to singletons).
            words = tf.where(tf.random.uniform(tf.shape(words)) < self.settings.word_dropout, self.sizes.words, words)
        return tf.concat(
            [
                self._word_vectors(words),
                self.characters(batch.characters),
                self.shapes(batch.shapes),
                tf.reshape(self.affixes(batch.affixes), [-1, text_ops.AFFIXES * self.settings.affix_dimensions]),
            ],
            axis=1,
        )

    def _word_vectors(self, words: tf.Tensor) -> tf.Tensor:
        vectors = self.words(tf.minimum(words, self.sizes.words))
        if self.others is None:
            return vectors
        place = words - self.sizes.words - 1
        others = tf.gather(tf.convert_to_tensor(self.others), tf.maximum(place, 0))
        return tf.where((place >= 0)[:, None], others, vectors)

    def start_from(self, known: Mapping[int, np.ndarray], others: np.ndarray) -> None:
        """Puts pretrained vectors in place: of words in the vocabulary, by id, and of the others `[others, width]`."""
        table = self.words.get_weights()[0]
        if known:
            table[list(known)] = np.stack(list(known.values()))
        self.words.set_weights([table])
        if self.others is not None:
            self.others.assign(others)
