"""What Keras fits: the tagger with its loss, a language-model loss, and a sparse Adam."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from components.compat import keras_private
from components.features.text_ops import row_ids
from components.tagger.batch import Sentences, pack, unique_tokens_of_sentences
from components.tagger.tagger import Tagger

# Training steps in one call of the compiled training function.
STEPS_PER_EXECUTION = 20


class Learner(keras.Model):
    """A tagger with its loss, and with the language-model loss where that has a weight.

    Args:
        tagger: what is fitted. It does not depend on the learner.
        lm_loss_weight: weight of the language-model loss, 0 for none.
    """

    def __init__(self, tagger: Tagger, lm_loss_weight: float):
        super().__init__(name="learner")
        self.tagger, self._lm_loss_weight = tagger, lm_loss_weight
        self.lm_loss = (
            LanguageModelLoss(tagger.sizes.words, tagger.settings.lstm_units)
            if lm_loss_weight
            else None
        )
        self.built = True

    def compile(self, optimizer: keras.Optimizer | str) -> None:
        """Prepares for `fit`."""
        super().compile(
            optimizer=optimizer,
            jit_compile=False,  # XLA would compile again for each shape of batch
            steps_per_execution=STEPS_PER_EXECUTION,
        )
        # Otherwise the first step creates the optimizer's variables, and TensorFlow traces it
        # twice.
        self.optimizer.build(self.trainable_variables)

    def call(self, sentences: Sentences, training: bool = False) -> tf.Tensor:
        """Computes the outputs of the last BiLSTM, float32 [tokens, 2 * units]."""
        sentences = Sentences(*sentences)
        return self.tagger.network.encode(
            unique_tokens_of_sentences(sentences), pack(sentences.lengths), training=training
        )

    def compute_loss(
        self,
        x: Sentences | None = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Computes the mean loss a token.

        Args:
            x: the sentences.
            y: tag ids, int32 [sentences, longest].
            y_pred: what `call` returned.
            sample_weight: float32 [sentences]; with it, the loss is the weighted sum of the
                sentences' losses.
            training: unused.
        """
        sentences = Sentences(*x)
        lengths = sentences.lengths
        present = tf.where(tf.sequence_mask(lengths, tf.shape(y)[1]))
        emissions = self.tagger.network.emissions(y_pred)  # (tokens, tags)
        losses = self.tagger.losses(emissions, tf.gather_nd(y, present), lengths)  # (sentences)
        if self.lm_loss:
            words = tf.gather_nd(sentences.words, present)
            losses += self._lm_loss_weight * self.lm_loss(y_pred, words, lengths)
        if sample_weight is None:
            return tf.reduce_sum(losses) / tf.cast(
                tf.maximum(tf.reduce_sum(lengths), 1), tf.float32
            )
        return tf.reduce_sum(losses * sample_weight)


class LanguageModelLoss(keras.layers.Layer):
    """An auxiliary language-model loss (Rei 2017, Semi-supervised Multitask Learning for Sequence
    Labeling).

    The forward output at a token predicts the next word, the backward output the previous one,
    among the most frequent words of train. Most tokens belong to no entity and teach a tagger
    little; with this loss each of them teaches the BiLSTM how words follow one another. The layer
    is not part of the tagger.
    """

    FREQUENT_WORDS = 5_000  # that can be predicted
    PROJECTION = 50  # width of what a word is predicted from
    SAMPLED = 64  # negative samples a batch

    def __init__(self, words: int, units: int):
        """Args: `words`: size of the vocabulary, which is sorted by falling frequency; `units`:
        width of one direction's outputs.
        """
        super().__init__(name="lm_loss")
        # Word ids here: the frequent words, then one for all rare ones, then one for the edge of a
        # sentence.
        self._rare = min(words, self.FREQUENT_WORDS)
        self._edge = self._rare + 1
        self.forward, self.backward = (
            self._add_direction(units, name) for name in ("forward", "backward")
        )
        self.built = True

    def _add_direction(self, units: int, name: str) -> dict[str, keras.Variable]:
        classes, width = self._edge + 1, self.PROJECTION
        return {
            "projection": self.add_weight(
                shape=(units, width), initializer="glorot_uniform", name=f"{name}_projection"
            ),
            "words": self.add_weight(
                shape=(classes, width), initializer="glorot_uniform", name=f"{name}_words"
            ),
            "bias": self.add_weight(shape=(classes,), initializer="zeros", name=f"{name}_bias"),
        }

    def call(self, states: tf.Tensor, words: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Computes the loss of each sentence, the sum over its tokens and both directions, float32
        [sentences].

        Args:
            states: outputs of the last BiLSTM, float32 [tokens, 2 * units].
            words: word ids, int [tokens].
            lengths: tokens of each sentence, int32 [sentences].
        """
        sentence_ids = row_ids(lengths)
        words = tf.cast(tf.minimum(words, self._rare), tf.int64)
        edge = tf.cast(self._edge, tf.int64)
        changes = sentence_ids[1:] != sentence_ids[:-1]
        next_words = tf.where(tf.concat([changes, [True]], 0), edge, tf.roll(words, -1, 0))
        previous_words = tf.where(tf.concat([[True], changes], 0), edge, tf.roll(words, 1, 0))
        forward, backward = tf.split(states, 2, axis=1)
        losses = self._prediction_losses(self.forward, forward, next_words)
        losses += self._prediction_losses(self.backward, backward, previous_words)
        return tf.math.unsorted_segment_sum(losses, sentence_ids, tf.size(lengths))

    def _prediction_losses(
        self, weights: dict[str, keras.Variable], states: tf.Tensor, targets: tf.Tensor
    ) -> tf.Tensor:
        """Computes the loss of each token, float32 [tokens]."""
        classes = self._edge + 1
        sampled = tf.random.log_uniform_candidate_sampler(
            targets[:, None], 1, min(self.SAMPLED, classes), unique=True, range_max=classes
        )
        inputs = tf.tanh(states @ weights["projection"])
        return sampled_softmax_loss(
            weights["words"].value, weights["bias"].value, targets, inputs, sampled
        )


def sampled_softmax_loss(
    weights: tf.Tensor,
    biases: tf.Tensor,
    targets: tf.Tensor,
    inputs: tf.Tensor,
    sampled: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    """Computes the sampled-softmax loss (Jean et al. 2015) for one true class a row.

    The result is that of `tf.nn.sampled_softmax_loss`. That function computes a cross entropy over
    a one-hot target; with a single true class the loss is a softplus, which takes less time.

    Args:
        weights: float32 [classes, width].
        biases: float32 [classes].
        targets: the true classes, int64 [rows].
        inputs: float32 [rows, width].
        sampled: what a candidate sampler returned: the sampled classes, int64 [samples], and the
            expected counts of the targets, [rows, 1], and of the samples, [samples].

    Returns:
        float32 [rows].
    """
    negatives, target_counts, negative_counts = map(tf.stop_gradient, sampled)
    true = tf.reduce_sum(inputs * tf.gather(weights, targets), 1) + tf.gather(biases, targets)
    true -= tf.math.log(target_counts[:, 0])
    false = tf.matmul(inputs, tf.gather(weights, negatives), transpose_b=True)  # (rows, samples)
    false += tf.gather(biases, negatives) - tf.math.log(negative_counts)
    # A target that was sampled is not a negative.
    false -= 1e9 * tf.cast(targets[:, None] == negatives, tf.float32)
    return tf.nn.softplus(tf.reduce_logsumexp(false, 1) - true)


class SparseAdam(keras.optimizers.Adam):
    """Adam (Kingma and Ba 2015) that updates only the rows of an embedding that a batch has used
    ("lazy Adam").

    Keras's own updates every row at each step, by the momentum of earlier ones: its time grows with
    the vocabulary, and the vector of a word that occurs once changes for many more steps.

    Args:
        learning_rate: as in Keras.
        gradient_norm: upper limit of the global norm of the gradients; larger ones are scaled down.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        gradient_norm: float,
    ):
        super().__init__(learning_rate)
        self._gradient_norm = gradient_norm

    def apply(
        self,
        grads: Sequence[tf.Tensor | tf.IndexedSlices],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Clips the gradients and updates the variables. Keras's own clipping would make sparse
        gradients dense.
        """
        summed = [_sum_duplicate_rows(gradient) for gradient in grads]
        clipped, _ = tf.clip_by_global_norm(summed, self._gradient_norm)
        super().apply(clipped, trainable_variables)

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates one variable; Keras calls it for each."""
        momentum, velocity = (slot.value for slot in keras_private.adam_slots(self, variable))
        step = tf.cast(self.iterations + 1, variable.dtype)
        powers = self.beta_1**step, self.beta_2**step
        if not isinstance(gradient, tf.IndexedSlices):
            # One operation, where Keras's own update has a dozen.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=momentum.handle,
                v=velocity.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )
            return
        correction = tf.sqrt(1 - powers[1]) / (1 - powers[0])
        rows, values = gradient.indices, gradient.values
        new_momentum = self.beta_1 * tf.gather(momentum, rows) + (1 - self.beta_1) * values
        new_velocity = self.beta_2 * tf.gather(velocity, rows) + (1 - self.beta_2) * values**2
        momentum.scatter_update(tf.IndexedSlices(new_momentum, rows))
        velocity.scatter_update(tf.IndexedSlices(new_velocity, rows))
        change = learning_rate * correction * new_momentum / (tf.sqrt(new_velocity) + self.epsilon)
        variable.scatter_sub(tf.IndexedSlices(change, rows))


def _sum_duplicate_rows(
    gradient: tf.Tensor | tf.IndexedSlices,
) -> tf.Tensor | tf.IndexedSlices:
    """Returns the gradient with each row at most once."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, indices = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, indices, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
