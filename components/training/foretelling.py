"""A second task, for training alone: to foretell the words beside each token.

The state ahead foretells the next word and the state back the one before, each among the frequent words of train (Rei 2017,
Semi-supervised Multitask Learning for Sequence Labeling). Most tokens are no part of an entity and teach the tagger little; this
way each of them teaches its BiLSTM how words follow one another. Nothing of it is left in the tagger.
"""

import keras
import tensorflow as tf

from components.flat import rows_of
from components.tagger.network import rows

_WORDS = 5_000  # that can be foretold
_WIDTH = 50  # of what a word is foretold from
_NEVER = -1e9  # a logarithm
_DRAWN = 64  # words that each batch tells the right ones from: 256 taught no more, and took a twelfth more of a step


class Foreteller(keras.layers.Layer):
    """States of a BiLSTM to the losses of foretelling.

    Args:
      words: size of the vocabulary, which is sorted from frequent to rare.
      units: width of the states in each direction.
    """

    def __init__(self, words: int, units: int):
        super().__init__(name="foreteller")
        self._rare = min(words, _WORDS)
        self._end = self._rare + 1  # nothing is there: the sentence begins or ends
        self._number = self._rare + 2
        self._ahead, self._back = (self._weights(units, name) for name in ("ahead", "back"))
        self.built = True

    def _weights(self, units: int, name: str) -> dict[str, keras.Variable]:
        return {
            "narrow": self.add_weight(
                shape=(units, _WIDTH), initializer="glorot_uniform", name=f"{name}_narrow"
            ),
            "words": self.add_weight(
                shape=(self._number, _WIDTH), initializer="glorot_uniform", name=f"{name}_words"
            ),
            "bias": self.add_weight(
                shape=(self._number,), initializer="zeros", name=f"{name}_bias"
            ),
        }

    def call(self, states: tf.Tensor, words: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """The loss of each sentence, float32 `[sentences]`: the sum over its tokens, of both directions.

        Args:
          states: float32 `[all tokens, 2 * units]`.
          words: numbers of the tokens' words in the vocabulary, int `[all tokens]`; larger ones are outside.
          lengths: int32 `[sentences]`.
        """
        owners = rows_of(lengths)
        words = tf.cast(tf.minimum(words, self._rare), tf.int64)
        changes = owners[1:] != owners[:-1]
        ends = tf.cast(self._end, tf.int64)
        following = tf.where(tf.concat([changes, [True]], 0), ends, tf.roll(words, -1, 0))
        before = tf.where(tf.concat([[True], changes], 0), ends, tf.roll(words, 1, 0))
        ahead, back = tf.split(states, 2, axis=1)
        losses = self._foretold(self._ahead, ahead, following) + self._foretold(
            self._back, back, before
        )
        return tf.math.unsorted_segment_sum(losses, owners, tf.size(lengths))

    def _foretold(
        self, weights: dict[str, keras.Variable], states: tf.Tensor, targets: tf.Tensor
    ) -> tf.Tensor:
        drawn = tf.random.log_uniform_candidate_sampler(
            targets[:, None], 1, min(_DRAWN, self._number), unique=True, range_max=self._number
        )
        return sampled_softmax_loss(
            weights["words"], weights["bias"], tf.tanh(states @ weights["narrow"]), targets, drawn
        )


def sampled_softmax_loss(
    words: keras.Variable,
    bias: keras.Variable,
    inputs: tf.Tensor,
    targets: tf.Tensor,
    drawn: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    """`tf.nn.sampled_softmax_loss` for one right word each, float32 `[inputs]`.

    A single operation of TensorFlow's own, the cross entropy, took 5 of the 31 ms of a step.

    Args:
      words: float32 `[words, width]`.
      bias: float32 `[words]`.
      inputs: float32 `[inputs, width]`.
      targets: the right word for each input, int64 `[inputs]`.
      drawn: of a candidate sampler: the words drawn `[drawn]`, and how often to expect each target `[inputs, 1]` and each of them.
    """
    others, targets_expected, others_expected = map(tf.stop_gradient, drawn)
    right = (
        tf.reduce_sum(inputs * rows(words, targets), 1)
        + rows(bias, targets)
        - tf.math.log(targets_expected[:, 0])
    )
    wrong = (
        tf.matmul(inputs, rows(words, others), transpose_b=True)
        + rows(bias, others)
        - tf.math.log(others_expected)
    )
    # A right word that was drawn is no wrong one.
    wrong += tf.cast(targets[:, None] == others, wrong.dtype) * _NEVER
    return tf.nn.softplus(tf.reduce_logsumexp(wrong, 1) - right)
