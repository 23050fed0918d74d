"""The tagger: the network with its output layer, its loss, and the decoding of entities."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from components.features import text_ops
from components.flat import rows_of
from components.settings import Model
from components.tagger import crf
from components.tagger.network import Network, Sizes
from components.tagger.packing import PACKING, Packing, pack
from components.tagger.sentences import VOCABLES, Sentences, Vocables, vocables_of_sentences


class Decoded(NamedTuple):
    """For all tokens, sentence after sentence: `tags` int32, numbers of the label map; `scores` float32, at an entity's first token
    its probability, else 0."""

    tags: tf.Tensor
    scores: tf.Tensor


class OtherWords(tf.Module):
    """Ids for words outside the vocabulary that have pretrained vectors. The table travels with a SavedModel."""

    def __init__(self, words: tuple[str, ...], vocabulary_size: int):
        super().__init__(name="other_words")
        self._unknown = vocabulary_size
        ids = tf.range(len(words), dtype=tf.int64) + vocabulary_size + 1
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(words), ids), vocabulary_size
        )

    def ids(self, words: tf.Tensor, surfaces: tf.Tensor) -> tf.Tensor:
        """The ids `words` int64 `[tokens]`, with those of unknown ones looked up by the tokens themselves."""
        return tf.where(
            words == self._unknown, self._table.lookup(text_ops.normalize(surfaces)), words
        )


def with_odds(chances, odds):
    """Probabilities whose odds are multiplied by `odds`; arrays or tensors.

    >>> with_odds(0.5, 3.0)
    0.75
    """
    return chances * odds / (1 - chances + chances * odds)


def _traced(function: Callable, *specs) -> tf.types.experimental.PolymorphicFunction:
    return tf.function(function, input_signature=specs, autograph=False)


class Tagger(keras.Model):
    """A BiLSTM tagger over IOB2 tags with a CRF, or a softmax for each token, as its output.

    Both decode by the best legal path; the softmax is a chain whose legal moves all weigh the same and are not learned.
    `others` are words outside the vocabulary that have pretrained vectors.
    """

    def __init__(
        self, sizes: Sizes, labels: tuple[str, ...], settings: Model, others: tuple[str, ...] = ()
    ):
        super().__init__(name="tagger")
        sizes = sizes._replace(others=len(others))
        self.sizes, self.labels, self.settings = sizes, tuple(labels), settings
        self.network = Network(sizes, len(labels), settings)
        learned = settings.output == "crf"
        tags = len(labels)
        self.transitions = self.add_weight(
            shape=(tags, tags), initializer="zeros", trainable=learned, name="transitions"
        )
        self.start = self.add_weight(
            shape=(tags,), initializer="zeros", trainable=learned, name="start"
        )
        self.end = self.add_weight(
            shape=(tags,), initializer="zeros", trainable=learned, name="end"
        )
        self.temperature = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="temperature"
        )
        self.odds = self.add_weight(shape=(tags,), initializer="ones", trainable=False, name="odds")
        self.boldness = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="boldness"
        )
        self.words = OtherWords(others, sizes.words) if others else None
        # Each traced once, for dev's scores, calibration and export alike.
        matrix, path = tf.TensorSpec([None, tags]), tf.TensorSpec([None], tf.int32)
        one, weights = tf.TensorSpec([]), tf.TensorSpec([tags])
        self.emissions = _traced(self._emissions, VOCABLES, PACKING)
        self.best_tags = _traced(self._best_tags, matrix, PACKING, one)
        self.scores = _traced(self._scores, matrix, path, PACKING, one, weights)
        self.built = True

    def expect(self, moves: np.ndarray) -> None:
        """Makes of a new tagger one that knows, before it has read a word, which tags come and what comes after each: the hidden
        Markov model (Rabiner 1989) whose words say nothing. Else the first epochs of a corpus with few entities go into that.

        Args:
          moves: how often each tag is followed by each in train, int `[tags + 1, tags + 1]` (from, to); the last row is the
            beginning of a sentence, the last column its end.
        """
        share = (moves.sum(0) + 1) / (moves.sum() + len(moves))
        after = (moves + share) / (moves.sum(1, keepdims=True) + 1)
        self.network.emissions.bias.assign(np.log(share[:-1]))
        if self.settings.output == "crf":
            likelier = np.log(after / share)
            self.transitions.assign(likelier[:-1, :-1])
            self.start.assign(likelier[-1, :-1])
            self.end.assign(likelier[:-1, -1])

    def call(self, sentences: Sentences, training: bool = False) -> tf.Tensor:
        """Emissions float32 `[all tokens, tags]`, sentence after sentence."""
        sentences = Sentences(*sentences)
        return self.network(
            vocables_of_sentences(sentences), pack(sentences.lengths), training=training
        )

    @property
    def chain(self) -> crf.Chain:
        """The output chain with illegal moves ruled out."""
        chain = crf.Chain(
            *(tf.convert_to_tensor(weight) for weight in (self.transitions, self.start, self.end))
        )
        return crf.masked(chain, self.labels)

    def losses(self, emissions: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Negative log-likelihood of the tags of each sentence, float32 `[sentences]`.

        Args:
          emissions: float32 `[all tokens, tags]`.
          tags: int32 `[all tokens]`.
          lengths: int32 `[sentences]`.
        """
        if self.settings.output == "crf":
            return -crf.log_likelihood(emissions, tags, pack(lengths), self.chain)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(tags, emissions)
        return tf.math.unsorted_segment_sum(each, rows_of(lengths), tf.size(lengths))

    def decode(self, batch: Vocables) -> Decoded:
        """The best legal tags of each sentence, and the probability of each of its entities."""
        packing = pack(batch.lengths)
        emissions = self.emissions(batch, packing)
        tags = self.best_tags(emissions, packing, tf.convert_to_tensor(self.boldness))
        temperature, odds = map(tf.convert_to_tensor, (self.temperature, self.odds))
        return Decoded(tags, self.scores(emissions, tags, packing, temperature, odds))

    def _emissions(self, batch: Vocables, packing: Packing) -> tf.Tensor:
        """Emissions float32 `[all tokens, tags]`, sentence after sentence."""
        return self.network(batch, packing)

    def _best_tags(self, emissions: tf.Tensor, packing: Packing, boldness: tf.Tensor) -> tf.Tensor:
        """The best legal tags, int32 `[all tokens]`, with `boldness` taken from the score of O at each token: the likeliest tags of
        all are not those with the best F1, as a missed entity costs less likelihood than it costs recall."""
        of_outside = tf.one_hot(self.labels.index("O"), len(self.labels))
        return crf.viterbi(emissions - boldness * of_outside, packing, self.chain)

    def _scores(
        self,
        emissions: tf.Tensor,
        tags: tf.Tensor,
        packing: Packing,
        temperature: tf.Tensor,
        odds: tf.Tensor,
    ) -> tf.Tensor:
        """Probability of each entity at its first token, `[all tokens]`.

        All scores are divided by the temperature (Guo et al. 2017), for networks are surer than they should be; then the odds of
        each entity are multiplied by those of `odds`, `[tags]`, for its first tag (the intercept of Platt 1999, one for each type):
        an entity that was chosen is right more often, or less, than one of the same probability that was not, and one of a type
        that is easily confused less often than others. The best path is the same at any.
        """
        cool = 1 / temperature
        chain = crf.Chain(*(part * cool for part in self.chain))
        chances = crf.entity_scores(emissions * cool, tags, packing, chain, self.labels)
        return with_odds(chances, tf.gather(odds, tags))
