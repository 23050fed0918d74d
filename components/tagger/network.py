"""The tagger's network: what a token looks like, in, and a score for each tag, out.

A token is its word, its characters (a CNN, as Ma and Hovy 2016), its word shape, its affixes and the mark it is joined to; a BiLSTM
reads the sentence (Huang, Xu and Yu 2015), a dense layer scores the tags. A pretrained vector comes twice, as it is and through a
hidden layer. No answer depends on who shares the batch.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from components.features import text_ops
from components.settings import Model
from components.tagger import recurrence
from components.tagger.dropout import Dropout
from components.tagger.packing import Packing
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


def rows(table: keras.Variable, numbers: tf.Tensor) -> tf.Tensor:
    """The rows of a table by number. Keras's own lookup reads the whole table first, and copies it in training: that takes time in
    proportion to the vocabulary."""
    return tf.gather(table.value, numbers)


class CharacterCNN(keras.layers.Layer):
    """The strongest response of each filter over a token's characters: `[tokens, characters]` to `[tokens, filters]`."""

    def __init__(self, characters: int, settings: Model):
        super().__init__(name="characters")
        window, width = settings.character_window, settings.character_dimensions
        # 0 is the padding, the last row everything outside the vocabulary.
        self.embedding = embedding(characters + 2, width, "embedding")
        self.kernel = self.add_weight(
            shape=(window, width, settings.character_filters),
            initializer="glorot_uniform",
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(settings.character_filters,), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, characters: tf.Tensor) -> tf.Tensor:
        window = self.kernel.shape[0]
        padded = tf.pad(characters + 1, [[0, 0], [(window - 1) // 2, window // 2]])
        # What each different character adds to the response at each place of the window: far fewer than there are in tokens.
        different, numbers = tf.unique(tf.reshape(padded, [-1]))
        table = tf.einsum("cd,wdf->wcf", rows(self.embedding.embeddings, different), self.kernel)
        table = tf.where((different > 0)[:, None], table, 0.0)
        present = tf.cast(tf.where(characters >= 0), tf.int32)
        owner = present[:, 0]
        place = owner * tf.shape(padded)[1] + present[:, 1]
        responses = tf.add_n(
            [tf.gather(table[n], tf.gather(numbers, place + n)) for n in range(window)]
        )
        return tf.nn.relu(tf.math.segment_max(responses, owner) + self.bias)


class BiLSTM(keras.layers.Layer):
    """Reads each sentence from both sides: to `[all tokens, 2 * units]`."""

    def __init__(self, width: int, units: int, name: str):
        super().__init__(name=name)
        self.sides = [
            recurrence.Weights(
                self.add_weight(
                    shape=(width + units, 4 * units),
                    initializer=_orthogonal_below(width),
                    name=f"{way}_kernel",
                ),
                self.add_weight(shape=(4 * units,), initializer=_forget_little, name=f"{way}_bias"),
            )
            for way in ("ahead", "back")
        ]
        self.built = True

    def call(
        self, vectors: tf.Tensor, tokens: tf.Tensor, packing: Packing, training: bool = False
    ) -> tf.Tensor:
        """Args: `vectors` float32 `[vocables, width]`; `tokens` int32 `[all tokens]`, the row of each in `vectors`."""
        read = recurrence.read_for_training if training else recurrence.read
        weights = [recurrence.Weights(*map(tf.convert_to_tensor, one)) for one in self.sides]
        return read(vectors, tokens, packing, weights)


def _orthogonal_below(width: int) -> Callable[..., tf.Tensor]:
    """Begins the rows for what a token looks like, `width`, as a layer for both directions would (Glorot and Bengio 2010), and those
    for the output of the step before as an orthogonal matrix (Saxe, McClelland and Ganguli 2014)."""

    def begin(shape, dtype=None):
        units, gates = shape[0] - width, shape[1]
        limit = math.sqrt(6 / (width + 2 * gates))
        looks = keras.initializers.RandomUniform(-limit, limit)((width, gates), dtype)
        return tf.concat([looks, keras.initializers.Orthogonal()((units, gates), dtype)], 0)

    return begin


def _forget_little(shape, dtype=None):
    """Zeros, and ones for the forget gate (Jozefowicz, Zaremba and Sutskever 2015)."""
    zeros, ones = tf.zeros([shape[0] // 4], dtype), tf.ones([shape[0] // 4], dtype)
    return tf.concat([zeros, ones, zeros, zeros], 0)


class Network(keras.layers.Layer):
    """`Vocables` to emissions float32 `[all tokens, tags]`, sentence after sentence."""

    def __init__(self, sizes: Sizes, tags: int, settings: Model):
        super().__init__(name="network")
        self.sizes, self.settings, self.tags = sizes, settings, tags
        self.words = embedding(sizes.words + 1, settings.word_dimensions, "words")
        self.pretrained = self.hidden = None
        if sizes.vectors:
            # Never moved: words that training has not seen have nothing but these, and those that it has must look alike.
            self.pretrained = self.add_weight(
                shape=(sizes.words + 1 + sizes.others, sizes.vectors),
                initializer="zeros",
                trainable=False,
                name="pretrained",
            )
            # What is asked of a word here need not lie along a straight line through vectors that stay where they are.
            self.hidden = keras.layers.Dense(settings.vector_units, "tanh", name="vectors")
            self.hidden.build((None, sizes.vectors))
        self._chances = np.zeros(sizes.words + 1, np.float32)
        self.shapes = embedding(text_ops.SHAPES, settings.shape_dimensions, "shapes")
        # Zero, and so for a word apart: text that joins what train has only apart is read as train is.
        self.joints = self.add_weight(
            shape=(text_ops.KINDS_OF_JOINT, settings.joint_dimensions),
            initializer="zeros",
            name="joints",
        )
        self.affixes = embedding(sizes.affixes + 1, settings.affix_dimensions, "affixes")
        self.characters = CharacterCNN(sizes.characters, settings)
        width = (
            settings.word_dimensions
            + (sizes.vectors + settings.vector_units if sizes.vectors else 0)
            + settings.character_filters
            + settings.shape_dimensions
            + settings.joint_dimensions
            + text_ops.AFFIXES * settings.affix_dimensions
        )
        self.readers = []
        for n in range(settings.lstm_layers):
            self.readers.append(BiLSTM(width, settings.lstm_units, f"bilstm_{n}"))
            width = 2 * settings.lstm_units
        self.dropout = Dropout(settings.dropout)
        self.emissions = keras.layers.Dense(tags, name="emissions")
        self.emissions.build((None, width))
        self.built = True

    def call(self, batch: Vocables, packing: Packing, training: bool = False) -> tf.Tensor:
        return self.emissions(self.read(batch, packing, training=training))

    def read(self, batch: Vocables, packing: Packing, training: bool = False) -> tf.Tensor:
        """What the last BiLSTM makes of the sentences, float32 `[all tokens, 2 * units]`."""
        vectors, tokens = self._vectors(batch, training), batch.tokens
        for reader in self.readers:
            vectors = reader(
                self.dropout(vectors, training=training), tokens, packing, training=training
            )
            tokens = tf.range(tf.size(tokens))
        return self.dropout(vectors, training=training)

    def _vectors(self, batch: Vocables, training: bool) -> tf.Tensor:
        """What each vocable looks like, float32 `[vocables, width]`."""
        words = tf.minimum(batch.words, self.sizes.words)
        if training:
            # As if unseen, so that the other features learn to stand in.
            drop = tf.random.uniform(tf.shape(words)) < tf.gather(tf.constant(self._chances), words)
            words = tf.where(drop, self.sizes.words, words)
        parts = [
            rows(self.words.embeddings, words),
            self.characters(batch.characters),
            rows(self.shapes.embeddings, batch.shapes),
            rows(self.joints, batch.joints) * tf.cast(batch.joints > 0, tf.float32)[:, None],
            tf.reshape(
                rows(self.affixes.embeddings, batch.affixes),
                [-1, text_ops.AFFIXES * self.settings.affix_dimensions],
            ),
        ]
        if self.pretrained is not None:
            vectors = rows(self.pretrained, batch.words)
            parts += [vectors, self.hidden(vectors)]
        return tf.concat(parts, axis=1)

    def expect(self, counts: np.ndarray) -> None:
        """Takes how often each word occurs in train, int `[words + 1]`.

        In training a word is read as unknown with a chance of a / (a + its count) (Kiperwasser and Goldberg 2016), a such that a
        word seen once has the chance that the settings say. What is learnt of the unknown word is then what rare ones share.
        """
        once = self.settings.word_dropout
        weight = once / (1 - once)
        self._chances = (weight / (weight + np.maximum(counts, 1))).astype(np.float32)

    def start_from(self, known: Mapping[int, np.ndarray], others: np.ndarray) -> None:
        """Puts pretrained vectors in place: of words in the vocabulary, by id, and of the others `[others, width]`.

        All are scaled alike, to a root mean square of one: files differ in that, and small numbers taught less.
        """
        table = np.zeros(self.pretrained.shape, np.float32)
        if known:
            table[list(known)] = np.stack(list(known.values()))
        table[self.sizes.words + 1 :] = others
        size = np.sqrt(
            np.square(table).sum() / max((len(known) + len(others)) * self.sizes.vectors, 1)
        )
        self.pretrained.assign(table / size if size else table)
