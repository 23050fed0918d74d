"""The tagger: the network with its output layer, its loss, and the decoding of entities."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import keras
import numpy as np
import tensorflow as tf

from components.features import text_ops
from components.settings import Model
from components.tagger import crf
from components.tagger.batch import (
    PACKING_SPEC,
    UNIQUE_TOKENS_SPEC,
    Packing,
    PretrainedOnlyWords,
    Sentences,
    UniqueTokens,
    pack,
    unique_tokens_of_sentences,
)
from components.tagger.network import Network, Sizes

_Odds = TypeVar("_Odds", float, np.ndarray, tf.Tensor)


class Decoded(NamedTuple):
    """The tags of all tokens of a batch, sentence after sentence.

    Attributes:
        tags: tag ids, int32 [tokens].
        scores: the probability of an entity at its first token, else 0; float32 [tokens].
    """

    tags: tf.Tensor
    scores: tf.Tensor


def scale_odds(probabilities: _Odds, factor: _Odds) -> _Odds:
    """Multiplies the odds of probabilities.

    >>> scale_odds(0.5, 3.0)
    0.75
    """
    return probabilities * factor / (1 - probabilities + probabilities * factor)


def _traced(function: Callable, *specs) -> tf.types.experimental.PolymorphicFunction:
    return tf.function(function, input_signature=specs, autograph=False)


class Tagger(keras.Model):
    """A BiLSTM tagger over IOB2 tags. Its output is a CRF, or a softmax for each token.

    Both decode the best legal path. The softmax is a chain whose legal transitions all score the
    same and are not trained.
    """

    def __init__(
        self,
        sizes: Sizes,
        labels: tuple[str, ...],
        settings: Model,
        pretrained_only: tuple[str, ...] = (),
    ):
        """Makes an untrained tagger.

        Args:
            sizes: of the vocabularies.
            labels: the tags by id.
            settings: the group `model` of the settings.
            pretrained_only: words that have a pretrained vector and are not in train.
        """
        super().__init__(name="tagger")
        sizes = sizes._replace(pretrained_only=len(pretrained_only))
        self.sizes, self.labels, self.settings = sizes, tuple(labels), settings
        self.network = Network(sizes, len(labels), settings)
        has_crf = settings.output == "crf"
        tags = len(labels)
        # A published model is restored by the order of these variables
        # (`components.training.warm_start`).
        self.transitions = self.add_weight(
            shape=(tags, tags), initializer="zeros", trainable=has_crf, name="transitions"
        )
        self.start = self.add_weight(
            shape=(tags,), initializer="zeros", trainable=has_crf, name="start"
        )
        self.end = self.add_weight(
            shape=(tags,), initializer="zeros", trainable=has_crf, name="end"
        )
        self.temperature = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="temperature"
        )
        self.odds = self.add_weight(shape=(tags,), initializer="ones", trainable=False, name="odds")
        self.outside_bias = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="outside_bias"
        )
        self.pretrained_only = (
            PretrainedOnlyWords(pretrained_only, sizes.words) if pretrained_only else None
        )
        # Each is traced once, for dev's scores, calibration and export.
        matrix, ids = tf.TensorSpec([None, tags]), tf.TensorSpec([None], tf.int32)
        scalar, by_tag = tf.TensorSpec([]), tf.TensorSpec([tags])
        self.emissions = _traced(
            lambda unique, packing: self.network(unique, packing), UNIQUE_TOKENS_SPEC, PACKING_SPEC
        )
        self.best_tags = _traced(self._best_tags, matrix, PACKING_SPEC, scalar)
        self.scores = _traced(self._scores, matrix, ids, PACKING_SPEC, scalar, by_tag)
        self.built = True

    def init_output_from_counts(self, tag_bigrams: np.ndarray) -> None:
        """Initializes the output's bias and the transitions from counts of tags and tag bigrams in
        train.

        Before training, the tagger is then roughly a Markov model of the tags, without the words.
        Without this, the first epochs on a corpus with few entities learn little more than these
        counts.

        Args:
            tag_bigrams: how often each tag is followed by each tag in train, int [tags + 1, tags +
                1] (from, to). The last row stands for the beginning of a sentence, the last column
                for its end.
        """
        share = (tag_bigrams.sum(0) + 1) / (tag_bigrams.sum() + len(tag_bigrams))
        conditional = (tag_bigrams + share) / (tag_bigrams.sum(1, keepdims=True) + 1)
        self.network.emissions.bias.assign(np.log(share[:-1]))
        if self.settings.output == "crf":
            log_ratio = np.log(conditional / share)
            self.transitions.assign(log_ratio[:-1, :-1])
            self.start.assign(log_ratio[-1, :-1])
            self.end.assign(log_ratio[:-1, -1])

    def call(self, sentences: Sentences, training: bool = False) -> tf.Tensor:
        """Computes emissions, float32 [tokens, tags]."""
        sentences = Sentences(*sentences)
        return self.network(
            unique_tokens_of_sentences(sentences), pack(sentences.lengths), training=training
        )

    @property
    def chain(self) -> crf.Chain:
        """The transition scores, with illegal transitions at `crf.ILLEGAL`."""
        weights = (self.transitions, self.start, self.end)
        return crf.mask_illegal(crf.Chain(*map(tf.convert_to_tensor, weights)), self.labels)

    def losses(self, emissions: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Computes the negative log-likelihood of each sentence's tags, float32 [sentences].

        Args:
            emissions: float32 [tokens, tags].
            tags: tag ids, int32 [tokens].
            lengths: tokens of each sentence, int32 [sentences].
        """
        if self.settings.output == "crf":
            return -crf.log_likelihood(emissions, tags, pack(lengths), self.chain)
        token_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tags, emissions)
        return tf.math.unsorted_segment_sum(
            token_losses, text_ops.row_ids(lengths), tf.size(lengths)
        )

    def decode(self, unique: UniqueTokens) -> Decoded:
        """Finds the best legal tags of each sentence and the probabilities of its entities."""
        packing = pack(unique.lengths)
        emissions = self.emissions(unique, packing)
        tags = self.best_tags(emissions, packing, tf.convert_to_tensor(self.outside_bias))
        temperature, odds = map(tf.convert_to_tensor, (self.temperature, self.odds))
        return Decoded(tags, self.scores(emissions, tags, packing, temperature, odds))

    def _best_tags(
        self, emissions: tf.Tensor, packing: Packing, outside_bias: tf.Tensor
    ) -> tf.Tensor:
        """Finds the best legal tags, int32 [tokens].

        `outside_bias` is subtracted from the score of O at each token. The most probable tags do
        not have the best F1: missing an entity costs more recall than likelihood.
        """
        is_outside = tf.one_hot(self.labels.index("O"), len(self.labels))
        return crf.viterbi(emissions - outside_bias * is_outside, packing, self.chain)

    def _scores(
        self,
        emissions: tf.Tensor,
        tags: tf.Tensor,
        packing: Packing,
        temperature: tf.Tensor,
        odds: tf.Tensor,
    ) -> tf.Tensor:
        """Computes the calibrated probability of each entity at its first token, else 0; float32
        [tokens].

        Args:
            emissions: float32 [tokens, tags].
            tags: the decoded tags, int32 [tokens].
            packing: of the batch.
            temperature: all scores are divided by it (Guo et al. 2017): networks are overconfident.
                The best path stays the best.
            odds: factor that the odds of an entity are multiplied by, for each tag that an entity
                can begin with, float32 [tags] (the intercept of Platt 1999, for each type). It
                corrects the probability of the decoded entities, which are not a random sample of
                all entities, and of types that are confused more often than other types.
        """
        scale = 1 / temperature
        chain = crf.Chain(*(part * scale for part in self.chain))
        probabilities = crf.entity_scores(emissions * scale, tags, packing, chain, self.labels)
        return scale_odds(probabilities, tf.gather(odds, tags))
