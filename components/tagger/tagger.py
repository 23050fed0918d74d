"""The tagger: the network with its output layer, its loss, and the decoding of entities."""

from typing import NamedTuple

import keras
import tensorflow as tf

from components.settings import Model
from components.tagger import crf
from components.tagger.network import Network, Sizes
from components.tagger.sentences import Sentences


class Decoded(NamedTuple):
    """`tags` int32 `[batch, tokens]`, numbers of the label map; `scores` float32, at an entity's first token its probability."""

    tags: tf.Tensor
    scores: tf.Tensor


class Tagger(keras.Model):
    """A BiLSTM tagger over IOB2 tags with a CRF, or a softmax for each token, as its output.

    Both decode by the best legal path; the softmax is a chain whose legal moves all weigh the same and are not learned.
    """

    def __init__(self, sizes: Sizes, labels: tuple[str, ...], settings: Model):
        super().__init__(name="tagger")
        self.sizes, self.labels, self.settings = sizes, tuple(labels), settings
        self.network = Network(sizes, len(labels), settings)
        learned = settings.output == "crf"
        tags = len(labels)
        self.transitions = self.add_weight(shape=(tags, tags), initializer="zeros", trainable=learned, name="transitions")
        self.start = self.add_weight(shape=(tags,), initializer="zeros", trainable=learned, name="start")
        self.end = self.add_weight(shape=(tags,), initializer="zeros", trainable=learned, name="end")
        self.built = True

    def call(self, sentences: Sentences, training: bool = False) -> tf.Tensor:
        """Emissions float32 `[batch, tokens, tags]`."""
        return self.network(sentences, training=training)

    @property
    def chain(self) -> crf.Chain:
        """The output chain with illegal moves ruled out."""
        chain = crf.Chain(*(tf.convert_to_tensor(weight) for weight in (self.transitions, self.start, self.end)))
        return crf.masked(chain, self.labels)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean negative log-likelihood a token of the tags `y`, int32 `[batch, tokens]`."""
        lengths = Sentences(*x).lengths
        if self.settings.output == "crf":
            loss = -tf.reduce_sum(crf.log_likelihood(y_pred, y, lengths, self.chain))
        else:
            mask = tf.sequence_mask(lengths, tf.shape(y)[1], tf.float32)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(y, y_pred) * mask)
        return loss / tf.cast(tf.maximum(tf.reduce_sum(lengths), 1), tf.float32)

    def decode(self, sentences: Sentences) -> Decoded:
        """The best legal tags of each sentence, and the probability of each of its entities."""
        sentences = Sentences(*sentences)
        emissions, chain = self(sentences), self.chain
        tags = crf.viterbi(emissions, sentences.lengths, chain)
        return Decoded(tags, crf.entity_scores(emissions, tags, sentences.lengths, chain, self.labels))
