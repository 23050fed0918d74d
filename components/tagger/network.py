"""The tagger's network: from token features to emissions, a score for each tag of each token.

A token is represented by its word, its characters (a CNN, Ma and Hovy 2016), its word shape, its
affixes and the joining character before it. A BiLSTM reads the sentence (Huang, Xu and Yu 2015),
and a dense layer scores the tags. A pretrained vector is read twice, as it is and through a hidden
layer. No output depends on the rest of the batch.
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
from components.tagger.batch import Packing, UniqueTokens


class Sizes(NamedTuple):
    """Sizes of the vocabularies. In each of them, the id equal to the size stands for everything
    outside.

    Attributes:
        words: words of train.
        characters: characters of train.
        affixes: prefixes and suffixes of train.
        vectors: width of pretrained vectors, 0 for none.
        pretrained_only: words that have a pretrained vector and are not in train. Their ids follow
            that of the unknown word.
    """

    words: int
    characters: int
    affixes: int
    vectors: int = 0
    pretrained_only: int = 0


def _embedding(size: int, width: int, name: str) -> keras.layers.Embedding:
    """Makes an embedding with small initial vectors: a rare word then says little, and its form
    decides.
    """
    layer = keras.layers.Embedding(size, width, "uniform", name=name)
    layer.build(None)  # a first call would build it with float inputs, which are no ids
    return layer


def gather_rows(table: keras.Variable, ids: tf.Tensor) -> tf.Tensor:
    """Looks up rows of a table. Keras's own lookup reads and, in training, copies the whole table
    first.
    """
    return tf.gather(table.value, ids)


class CharacterCNN(keras.layers.Layer):
    """A convolution over the characters of each token and the maximum over its positions (Ma and
    Hovy 2016).
    """

    def __init__(self, characters: int, settings: Model):
        super().__init__(name="characters")
        window, width = settings.character_window, settings.character_dimensions
        # Row 0 is the padding, the last row everything outside the vocabulary.
        self.embedding = _embedding(characters + 2, width, "embedding")
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
        """Args: `characters` int32 [tokens, characters], padded with -1. Returns: float32 [tokens,
        filters].
        """
        window = self.kernel.shape[0]
        padded = tf.pad(characters + 1, [[0, 0], [(window - 1) // 2, window // 2]])
        # The products of each distinct character with the kernel, once: a batch has few of them.
        distinct, indices = tf.unique(tf.reshape(padded, [-1]))
        embedded = gather_rows(self.embedding.embeddings, distinct)  # (distinct, width)
        products = tf.einsum("cd,wdf->wcf", embedded, self.kernel)  # (window, distinct, filters)
        products = tf.where((distinct > 0)[:, None], products, 0.0)
        present = tf.cast(tf.where(characters >= 0), tf.int32)
        token = present[:, 0]  # (all characters)
        start = token * tf.shape(padded)[1] + present[:, 1]  # where the window begins in `indices`
        responses = tf.add_n(
            [tf.gather(products[n], tf.gather(indices, start + n)) for n in range(window)]
        )  # (all characters, filters)
        return tf.nn.relu(tf.math.segment_max(responses, token) + self.bias)


class BiLSTM(keras.layers.Layer):
    """An LSTM in each direction (Graves and Schmidhuber 2005)."""

    def __init__(self, width: int, units: int, name: str):
        super().__init__(name=name)
        self.directions = [
            recurrence.Weights(
                self.add_weight(
                    shape=(width + units, 4 * units),
                    initializer=_glorot_and_orthogonal(width),
                    name=f"{direction}_kernel",
                ),
                self.add_weight(
                    shape=(4 * units,), initializer=_open_forget_gate, name=f"{direction}_bias"
                ),
            )
            for direction in ("forward", "backward")
        ]
        self.built = True

    def call(
        self, inputs: tf.Tensor, indices: tf.Tensor, packing: Packing, training: bool = False
    ) -> tf.Tensor:
        """Reads the sentences of a batch.

        Args:
            inputs: inputs of the distinct tokens, float32 [unique, width].
            indices: row of each token in `inputs`, int32 [tokens].
            packing: of the batch.
            training: whether gradients are needed.

        Returns:
            Forward, then backward outputs, float32 [tokens, 2 * units].
        """
        weights = [recurrence.Weights(*map(tf.convert_to_tensor, pair)) for pair in self.directions]
        lstm = recurrence.lstm_packed if training else recurrence.lstm
        return lstm(inputs, indices, packing, weights)


def _glorot_and_orthogonal(width: int) -> Callable[..., tf.Tensor]:
    """Initializes the kernel's first `width` rows, for the inputs, as Glorot and Bengio (2010) do
    for one layer of both directions, and the rows for the previous output as an orthogonal matrix
    (Saxe, McClelland and Ganguli 2014).
    """

    def initializer(shape: tuple[int, int], dtype: str | None = None) -> tf.Tensor:
        units, gates = shape[0] - width, shape[1]
        limit = math.sqrt(6 / (width + 2 * gates))
        inputs = keras.initializers.RandomUniform(-limit, limit)((width, gates), dtype)
        return tf.concat([inputs, keras.initializers.Orthogonal()((units, gates), dtype)], 0)

    return initializer


def _open_forget_gate(shape: tuple[int], dtype: str | None = None) -> tf.Tensor:
    """Zeros, and ones for the forget gate (Jozefowicz, Zaremba and Sutskever 2015)."""
    zeros, ones = tf.zeros([shape[0] // 4], dtype), tf.ones([shape[0] // 4], dtype)
    return tf.concat([zeros, ones, zeros, zeros], 0)


class Dropout(keras.layers.Dropout):
    """Keras's dropout by a product with a mask. Keras selects values, an operation that is slow on
    CPUs where one side is a scalar, both forward and in the gradient.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops values, each with probability `rate`, and scales the others up."""
        if not training or not self.rate:
            return inputs
        uniform = keras.random.uniform(tf.shape(inputs), seed=self.seed_generator)
        return inputs * (tf.cast(uniform >= self.rate, inputs.dtype) / (1 - self.rate))


class Network(keras.layers.Layer):
    """Computes emissions from the unique tokens of a batch."""

    def __init__(self, sizes: Sizes, tags: int, settings: Model):
        super().__init__(name="network")
        self.sizes, self.settings, self.tags = sizes, settings, tags
        self.input_widths = input_widths(sizes, settings)
        self.words = _embedding(sizes.words + 1, settings.word_dimensions, "words")
        self.pretrained = self.hidden = None
        if sizes.vectors:
            # Frozen: words outside train have nothing but their vectors, and those of words in
            # train must stay comparable.
            self.pretrained = self.add_weight(
                shape=(sizes.words + 1 + sizes.pretrained_only, sizes.vectors),
                initializer="zeros",
                trainable=False,
                name="pretrained",
            )
            # As the vectors are frozen, a non-linear projection is learned on top of them.
            self.hidden = keras.layers.Dense(settings.vector_units, "tanh", name="vectors")
            self.hidden.build((None, sizes.vectors))
        self._word_dropout = np.zeros(sizes.words + 1, np.float32)
        self.shapes = _embedding(text_ops.SHAPE_COUNT, settings.shape_dimensions, "shapes")
        # Starts at zero, and id 0 stays there: a joining character that train never has is then
        # read as none.
        self.preceding_chars = self.add_weight(
            shape=(text_ops.PRECEDING_CHAR_COUNT, self.input_widths["preceding_chars"]),
            initializer="zeros",
            name="preceding_chars",
        )
        self.affixes = _embedding(sizes.affixes + 1, settings.affix_dimensions, "affixes")
        self.characters = CharacterCNN(sizes.characters, settings)
        width = sum(self.input_widths.values())
        self.bilstms = []
        for n in range(settings.lstm_layers):
            self.bilstms.append(BiLSTM(width, settings.lstm_units, f"bilstm_{n}"))
            width = 2 * settings.lstm_units
        self.dropout = Dropout(settings.dropout)
        self.emissions = keras.layers.Dense(tags, name="emissions")
        self.emissions.build((None, width))
        self.built = True

    def call(self, unique: UniqueTokens, packing: Packing, training: bool = False) -> tf.Tensor:
        """Computes emissions, float32 [tokens, tags]."""
        return self.emissions(self.encode(unique, packing, training=training))

    def encode(self, unique: UniqueTokens, packing: Packing, training: bool = False) -> tf.Tensor:
        """Computes the outputs of the last BiLSTM, float32 [tokens, 2 * units]."""
        states, indices = self.token_inputs(unique, training), unique.indices
        for bilstm in self.bilstms:
            states = self.dropout(states, training=training)
            states = bilstm(states, indices, packing, training=training)  # (tokens, 2 * units)
            indices = tf.range(tf.size(indices))
        return self.dropout(states, training=training)

    def token_inputs(self, unique: UniqueTokens, training: bool) -> tf.Tensor:
        """Concatenates the features of the distinct tokens, in the order of `input_widths`, float32
        [unique, width].
        """
        words = tf.minimum(unique.words, self.sizes.words)
        if training:
            rates = tf.gather(tf.constant(self._word_dropout), words)
            words = tf.where(tf.random.uniform(tf.shape(words)) < rates, self.sizes.words, words)
        has_preceding = tf.cast(unique.preceding_chars > 0, tf.float32)[:, None]
        affixes = gather_rows(
            self.affixes.embeddings, unique.affixes
        )  # (unique, AFFIX_COUNT, width)
        parts = [
            gather_rows(self.words.embeddings, words),
            self.characters(unique.characters),
            gather_rows(self.shapes.embeddings, unique.shapes),
            gather_rows(self.preceding_chars, unique.preceding_chars) * has_preceding,
            tf.reshape(affixes, [-1, self.input_widths["affixes"]]),
        ]
        if self.pretrained is not None:
            vectors = gather_rows(self.pretrained, unique.words)
            parts += [vectors, self.hidden(vectors)]
        return tf.concat(parts, axis=1)

    def set_word_counts(self, counts: np.ndarray) -> None:
        """Sets how often each word is dropped in training, from its count in train.

        A word is read as unknown with probability a / (a + count) (Kiperwasser and Goldberg 2016),
        where a gives a word seen once the rate of the settings. The unknown word's vector thus
        learns what rare words share.

        Args:
            counts: occurrences of each word in train, int [words + 1].
        """
        rate_of_once = self.settings.word_dropout
        a = rate_of_once / (1 - rate_of_once)
        self._word_dropout = (a / (a + np.maximum(counts, 1))).astype(np.float32)

    def set_pretrained(self, known: Mapping[int, np.ndarray], others: np.ndarray) -> None:
        """Sets the pretrained vectors, scaled to a root mean square of one: files of vectors differ
        in scale.

        Args:
            known: vectors of words of train, by word id.
            others: vectors of the pretrained-only words, float32 [pretrained-only words, width].
        """
        table = np.zeros(self.pretrained.shape, np.float32)
        if known:
            table[list(known)] = np.stack(list(known.values()))
        table[self.sizes.words + 1 :] = others
        values = max((len(known) + len(others)) * self.sizes.vectors, 1)
        scale = np.sqrt(np.square(table).sum() / values)
        self.pretrained.assign(table / scale if scale else table)


def input_widths(sizes: Sizes, settings: Model) -> dict[str, int]:
    """Returns the width of each feature in the first BiLSTM's input, in order.

    The preceding character gets one dimension more than the settings say where the total would be
    odd: TensorFlow's BlockLSTM is slow, and warns, where both the input width and the number of
    sentences are odd.
    """
    widths = {
        "words": settings.word_dimensions,
        "characters": settings.character_filters,
        "shapes": settings.shape_dimensions,
        "preceding_chars": settings.preceding_char_dimensions,
        "affixes": text_ops.AFFIX_COUNT * settings.affix_dimensions,
    }
    if sizes.vectors:
        widths |= {"vectors": sizes.vectors, "vector_units": settings.vector_units}
    widths["preceding_chars"] += sum(widths.values()) % 2
    return widths
