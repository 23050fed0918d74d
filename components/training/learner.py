"""A tagger as it learns: what Keras fits."""

import keras
import tensorflow as tf

from components.tagger.packing import pack
from components.tagger.sentences import Sentences, vocables_of_sentences
from components.tagger.tagger import Tagger
from components.training.foretelling import Foreteller

# Steps that TensorFlow takes before it is Python's turn again, which costs an eighth of a step of the default sizes.
_AT_A_TIME = 20


class Learner(keras.Model):
    """A tagger with its loss, and with a second task where that weighs anything.

    Args:
      tagger: what is fitted; it is whole without this.
      foretelling: weight of the loss of `components.training.foretelling`, 0 for none.
    """

    def __init__(self, tagger: Tagger, foretelling: float):
        super().__init__(name="learner")
        self.tagger, self._weight = tagger, foretelling
        self._foreteller = (
            Foreteller(tagger.sizes.words, tagger.settings.lstm_units) if foretelling else None
        )
        self.built = True

    def compile(self, optimizer: keras.Optimizer | str) -> None:
        super().compile(
            optimizer=optimizer,
            jit_compile=False,  # XLA would compile anew for each shape of batch
            steps_per_execution=_AT_A_TIME,
        )
        # Its variables would be made in the first step, and TensorFlow traces a step that makes variables twice.
        self.optimizer.build(self.trainable_variables)

    def call(self, sentences: Sentences, training: bool = False) -> tf.Tensor:
        """What the network reads in the sentences, float32 `[all tokens, 2 * units]`."""
        sentences = Sentences(*sentences)
        return self.tagger.network.read(
            vocables_of_sentences(sentences), pack(sentences.lengths), training=training
        )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss a token: the negative log-likelihood of the tags `y`, int32 `[batch, tokens]`, and of what is foretold, as it
        weighs. With a `sample_weight`, float32 `[batch]`, the sum over all sentences, each times its weight."""
        sentences = Sentences(*x)
        lengths = sentences.lengths
        present = tf.where(tf.sequence_mask(lengths, tf.shape(y)[1]))
        losses = self.tagger.losses(
            self.tagger.network.emissions(y_pred), tf.gather_nd(y, present), lengths
        )
        if self._foreteller:
            words = tf.gather_nd(sentences.words, present)
            losses += self._weight * self._foreteller(y_pred, words, lengths)
        if sample_weight is None:
            return tf.reduce_sum(losses) / tf.cast(
                tf.maximum(tf.reduce_sum(lengths), 1), tf.float32
            )
        return tf.reduce_sum(losses * sample_weight)
