"""Training on several devices or machines by tf.distribute: each replica has all weights, and its share of every batch.

The loop over batches is the project's own, as Keras 3's `fit` fails on several machines (keras/20585).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from components.errors import UserError
from components.tagger.sentences import Sentences
from components.training.learner import Learner

_SUM = tf.distribute.ReduceOp.SUM


@dataclass(frozen=True)
class Team:
    """The processes that train together: TensorFlow's strategy, and the number of this one, 0 for the chief."""

    strategy: tf.distribute.Strategy
    number: int = 0

    @property
    def local(self) -> int:
        """The number of replicas in this process, and in each of the others."""
        return len(self.strategy.extended.worker_devices)

    def total(self, value: float | np.ndarray) -> np.ndarray:
        """The sum of what the processes give, each of one shape, in all of them; whole numbers are exact up to 2^53."""
        value = np.asarray(value, np.float64)
        if self.local == self.strategy.num_replicas_in_sync:
            return value

        def added():
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % self.local == 0
            return context.all_reduce(_SUM, tf.where(first, value, 0.0))

        return self.strategy.experimental_local_results(self.strategy.run(added))[0].numpy()

    def of_chief(self, value: float | np.ndarray) -> np.ndarray:
        """What the chief gives, in all processes; the others give something of the same shape."""
        return self.total(value if self.number == 0 else np.zeros_like(value))

    def told(self, text: str = "") -> str:
        """What the chief says, in all processes."""
        letters = np.frombuffer(text.encode(), np.uint8)
        length = int(self.of_chief(letters.size))
        return self.of_chief(np.resize(letters, length)).astype(np.uint8).tobytes().decode()


def mirrored(replicas: int) -> Team:
    """One process with `replicas` devices, 0 for every GPU; where there is no GPU, so many parts of the processor.

    TensorFlow must not have begun. Raises UserError where there are fewer GPUs.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus:
        if replicas > gpus:
            raise UserError(
                f"training.replicas: found {replicas}; expected at most {gpus}, the GPUs that TensorFlow sees"
            )
        return Team(tf.distribute.MirroredStrategy([f"GPU:{n}" for n in range(replicas or gpus)]))
    replicas = replicas or 1
    parts = [tf.config.LogicalDeviceConfiguration()] * replicas
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    return Team(tf.distribute.MirroredStrategy([f"CPU:{n}" for n in range(replicas)]))


def multi_worker(number: int) -> Team:
    """This process and those on the other machines that TF_CONFIG names. TensorFlow must not have begun."""
    return Team(tf.distribute.MultiWorkerMirroredStrategy(), number)


def fit(
    team: Team,
    learner: Learner,
    batches: tf.data.Dataset,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Fits as `learner.fit` does on one device, with the same losses.

    Args:
      team: its strategy's scope is where the learner was made and compiled.
      batches: the same ones, in the same order, in every process; what one replica takes of each is its own affair.
      epochs: at most.
      callbacks: the chief's, which decide when to stop; the other processes have none.
    """
    calls = keras.callbacks.CallbackList(list(callbacks), model=learner)
    learner.stop_training = False
    calls.on_train_begin()
    first = _begin_alike(team, learner)
    step = _step(team.strategy, learner, batches.element_spec)
    for epoch in range(first, epochs):
        calls.on_epoch_begin(epoch)
        losses, sizes = [], []
        for number, (sentences, tags) in enumerate(batches):
            calls.on_train_batch_begin(number)
            losses.append(step(sentences, tags))
            sizes.append(tags.shape[0])
            calls.on_train_batch_end(number)
        calls.on_epoch_end(epoch, {"loss": float(np.average(np.array(losses), weights=sizes))})
        if team.of_chief(learner.stop_training):
            break
    calls.on_train_end()
    # That all processes have come here means that none waits for anything before; the first to go may break this itself.
    with contextlib.suppress(tf.errors.OpError):
        team.total(0)


def _begin_alike(team: Team, learner: Learner) -> int:
    """Gives all processes the chief's weights, which may be those from before a kill, and returns the epoch to go on with."""
    for variable in (*learner.variables, *learner.optimizer.variables):
        variable.assign(team.of_chief(variable.numpy()))
    seeds = getattr(learner.tagger.network.dropout, "seed_generator", None)
    if seeds is not None:
        # Each replica drops out something else.
        for place, seed in enumerate(team.strategy.experimental_local_results(seeds.state.value)):
            seed.assign_add([team.number * team.local + place, 0])
    # Where Backup puts it, and Keras's `fit` looks for it.
    return int(team.of_chief(learner._initial_epoch or 0))


def _step(strategy: tf.distribute.Strategy, learner: Learner, spec: tuple):
    """The function that takes a batch, moves the weights, and returns the loss before."""

    def gradients(sentences, tags):
        context = tf.distribute.get_replica_context()
        own, own_tags, weights = share(
            sentences, tags, context.replica_id_in_sync_group, strategy.num_replicas_in_sync
        )
        with tf.GradientTape() as tape:
            states = learner(own, training=True)
            loss = learner.compute_loss(own, own_tags, states, weights)
        found = tape.gradient(loss, [weight.value for weight in learner.trainable_weights])
        return context.all_reduce(_SUM, [loss, *found])

    @tf.function(input_signature=spec, autograph=False)
    def step(sentences, tags):
        summed = strategy.run(gradients, args=(sentences, tags))
        loss, *found = (strategy.experimental_local_results(each)[0] for each in summed)
        # Outside of the replicas, where Keras takes gradients for summed: they are clipped as one.
        learner.optimizer.apply(found, learner.trainable_weights)
        return loss

    return step


def share(
    sentences: Sentences, tags: tf.Tensor, number: int | tf.Tensor, of: int
) -> tuple[Sentences, tf.Tensor, tf.Tensor]:
    """A replica's part of a batch: every `of`th sentence from `number` on, their tags, and what each weighs in the loss, float32.

    That is one over the tokens of the whole batch: losses of the parts then add up to the mean of the whole. A part has at least one
    sentence, as there is nothing to compute on none; where the batch has too few, one that weighs nothing.
    """
    size = tf.size(sentences.lengths)
    rows = tf.range(number, tf.maximum(size, number + 1), of)
    tokens = tf.cast(tf.maximum(tf.reduce_sum(sentences.lengths), 1), tf.float32)
    weights = tf.where(rows < size, 1 / tokens, 0.0)
    rows = tf.minimum(rows, size - 1)
    return Sentences(*(tf.gather(part, rows) for part in sentences)), tf.gather(tags, rows), weights
