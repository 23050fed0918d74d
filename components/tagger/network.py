"""The tagger's network: what a token looks like, in, and a score for each tag, out.

A token is its word, its characters (a CNN, as Ma and Hovy 2016), its word shape and its affixes; a BiLSTM reads the
sentence (Huang, Xu and Yu 2015), a dense layer scores the tags. Everything is padded on the right, and no answer depends
on the padding.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from components.features import text_ops
from components.settings import Model
from components.tagger.sentences import Sentences


class Sizes(NamedTuple):
    """Sizes of the vocabularies; an id equal to the size stands for everything outside."""

    words: int
    characters: int
    affixes: int


class CharacterCNN(keras.layers.Layer):
    """The strongest response of each filter over a token's characters: `[tokens, characters]` to `[tokens, filters]`."""

    def __init__(self, characters: int, settings: Model):
        super().__init__(name="characters")
        # 0 is the padding, the last row everything outside the vocabulary.
        self.embedding = keras.layers.Embedding(characters + 2, settings.character_dimensions)
        self.convolution = keras.layers.Conv1D(settings.character_filters, settings.character_window, padding="same")
        self.embedding.build(None)
        self.convolution.build((None, None, settings.character_dimensions))
        self.built = True

    def call(self, characters: tf.Tensor) -> tf.Tensor:
        present = tf.cast(characters >= 0, tf.float32)[:, :, None]
        responses = self.convolution(self.embedding(characters + 1) * present)
        # Padding must not win: a token's answer would depend on the longest token beside it.
        return tf.nn.relu(tf.reduce_max(responses * present - 1e4 * (1 - present), axis=1))


class BiLSTM(keras.layers.Layer):
    """Reads each sentence from both sides: `[batch, tokens, width]` to `[batch, tokens, 2 * units]`.

    Sentences are turned round within their own length, so padding always comes last and needs no mask, which would slow
    the recurrence.
    """

    def __init__(self, width: int, units: int, name: str):
        super().__init__(name=name)
        self.ahead = keras.layers.LSTM(units, return_sequences=True, name="ahead")
        self.back = keras.layers.LSTM(units, return_sequences=True, name="back")
        for direction in (self.ahead, self.back):
            direction.build((None, None, width))
        self.built = True

    def call(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        turned = self.back(tf.reverse_sequence(inputs, lengths, seq_axis=1))
        return tf.concat([self.ahead(inputs), tf.reverse_sequence(turned, lengths, seq_axis=1)], axis=2)


class Network(keras.layers.Layer):
    """`Sentences` to emissions float32 `[batch, tokens, tags]`."""

    def __init__(self, sizes: Sizes, tags: int, settings: Model):
        super().__init__(name="network")
        self.sizes, self.settings = sizes, settings
        self.words = keras.layers.Embedding(sizes.words + 1, settings.word_dimensions, name="words")
        self.shapes = keras.layers.Embedding(text_ops.SHAPES, settings.shape_dimensions, name="shapes")
        self.affixes = keras.layers.Embedding(sizes.affixes + 1, settings.affix_dimensions, name="affixes")
        self.characters = CharacterCNN(sizes.characters, settings)
        width = (settings.word_dimensions + settings.character_filters + settings.shape_dimensions
                 + text_ops.AFFIXES * settings.affix_dimensions)
        self.readers = []
        for n in range(settings.lstm_layers):
            self.readers.append(BiLSTM(width, settings.lstm_units, f"bilstm_{n}"))
            width = 2 * settings.lstm_units
        self.dropout = keras.layers.Dropout(settings.dropout)
        self.emissions = keras.layers.Dense(tags, name="emissions")
        # Built here and now: Keras would build on a first call with made-up inputs, of floats where these are whole numbers.
        for embedding in (self.words, self.shapes, self.affixes):
            embedding.build(None)
        self.emissions.build((None, None, width))
        self.built = True

    def call(self, sentences: Sentences, training: bool = False) -> tf.Tensor:
        sentences = Sentences(*sentences)
        words = sentences.words
        if training and self.settings.word_dropout:
            # As if unseen, so that the other features learn to stand in (Lample et al. 2016 do it to singletons).
            unseen = tf.random.uniform(tf.shape(words)) < self.settings.word_dropout
            words = tf.where(unseen, self.sizes.words, words)
        # What concerns a token alone is computed for the tokens there are, and laid out in rows for the BiLSTM only.
        present = tf.where(tf.sequence_mask(sentences.lengths, tf.shape(words)[1]))
        affixes = self.affixes(tf.gather_nd(sentences.affixes, present))
        tokens = tf.concat([
            self.words(tf.gather_nd(words, present)),
            self.characters(tf.gather_nd(sentences.characters, present)),
            self.shapes(tf.gather_nd(sentences.shapes, present)),
            tf.reshape(affixes, [-1, text_ops.AFFIXES * self.settings.affix_dimensions]),
        ], axis=1)
        hidden = tf.scatter_nd(present, tokens, tf.concat([tf.shape(words, tf.int64), [tokens.shape[1]]], 0))
        for reader in self.readers:
            hidden = reader(self.dropout(hidden, training=training), sentences.lengths)
        return self.emissions(self.dropout(hidden, training=training))
