"""Training on several devices or machines with tf.distribute: each replica has all weights and a
share of every batch.

The loop over batches is the project's own, as Keras 3's `fit` fails on several machines
(keras/20585).
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from components.errors import UserError
from components.tagger.batch import Sentences
from components.training.learner import Learner

_SUM = tf.distribute.ReduceOp.SUM


@dataclass(frozen=True)
class DistributedContext:
    """The processes that train together.

    Attributes:
        strategy: TensorFlow's strategy.
        rank: index of this process; 0 is the chief.
    """

    strategy: tf.distribute.Strategy
    rank: int = 0

    @property
    def local_replicas(self) -> int:
        """The number of replicas in each process."""
        return len(self.strategy.extended.worker_devices)

    def sum(self, value: float | np.ndarray) -> np.ndarray:
        """Sums a value of the same shape in each process, in all of them; integers are exact up to
        2^53.
        """
        value = np.asarray(value, np.float64)
        if self.local_replicas == self.strategy.num_replicas_in_sync:
            return value

        def all_reduce():
            context = tf.distribute.get_replica_context()
            is_first = context.replica_id_in_sync_group % self.local_replicas == 0
            return context.all_reduce(_SUM, tf.where(is_first, value, 0.0))

        return self.strategy.experimental_local_results(self.strategy.run(all_reduce))[0].numpy()

    def broadcast(self, value: float | np.ndarray) -> np.ndarray:
        """Returns the chief's value in all processes; the others pass one of the same shape."""
        return self.sum(value if self.rank == 0 else np.zeros_like(value))

    def broadcast_text(self, text: str = "") -> str:
        """Returns the chief's text in all processes."""
        encoded = np.frombuffer(text.encode(), np.uint8)
        length = int(self.broadcast(encoded.size))
        return self.broadcast(np.resize(encoded, length)).astype(np.uint8).tobytes().decode()


def mirrored(replicas: int) -> DistributedContext:
    """Makes the context of one process with several devices. TensorFlow must not have been used
    before.

    Args:
        replicas: devices, 0 for every GPU. Without a GPU they are logical parts of the CPU.

    Raises:
        UserError: there are fewer GPUs.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus:
        if replicas > gpus:
            raise UserError(
                f"training.replicas: found {replicas};"
                f" expected at most {gpus}, the GPUs that TensorFlow sees"
            )
        return DistributedContext(
            tf.distribute.MirroredStrategy([f"GPU:{n}" for n in range(replicas or gpus)])
        )
    replicas = replicas or 1
    parts = [tf.config.LogicalDeviceConfiguration()] * replicas
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    return DistributedContext(tf.distribute.MirroredStrategy([f"CPU:{n}" for n in range(replicas)]))


def multi_worker(rank: int) -> DistributedContext:
    """Makes the context of this process and those on the other machines that TF_CONFIG names.

    TensorFlow must not have been used before.
    """
    return DistributedContext(tf.distribute.MultiWorkerMirroredStrategy(), rank)


def fit(
    context: DistributedContext,
    learner: Learner,
    batches: tf.data.Dataset,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
    initial_epoch: int = 0,
) -> None:
    """Fits as `learner.fit` does on one device, with the same losses.

    Args:
        context: the learner was made and compiled in its strategy's scope.
        batches: the same ones, in the same order, in every process. Each replica takes its share of
            every batch.
        epochs: the most epochs.
        callbacks: the chief's decide when to stop.
        initial_epoch: the chief's counts.
    """
    callback_list = keras.callbacks.CallbackList(list(callbacks), model=learner)
    learner.stop_training = False
    callback_list.on_train_begin()
    _broadcast_state(context, learner)
    initial_epoch = int(context.broadcast(initial_epoch))
    train_step = _make_train_step(context.strategy, learner, batches.element_spec)
    for epoch in range(initial_epoch, epochs):
        callback_list.on_epoch_begin(epoch)
        losses, batch_sizes = [], []
        for step, (sentences, tag_ids) in enumerate(batches):
            callback_list.on_train_batch_begin(step)
            losses.append(train_step(sentences, tag_ids))
            batch_sizes.append(tag_ids.shape[0])
            callback_list.on_train_batch_end(step)
        loss = float(np.average(np.array(losses), weights=batch_sizes))
        callback_list.on_epoch_end(epoch, {"loss": loss})
        if context.broadcast(learner.stop_training):
            break
    callback_list.on_train_end()
    # A barrier: no process waits for an earlier result when the first one ends. The end itself may
    # break this sum.
    with contextlib.suppress(tf.errors.OpError):
        context.sum(0)


def _broadcast_state(context: DistributedContext, learner: Learner) -> None:
    """Gives all processes the chief's weights, which may come from a backup, and each replica its
    own dropout.
    """
    for variable in (*learner.variables, *learner.optimizer.variables):
        variable.assign(context.broadcast(variable.numpy()))
    seeds = getattr(learner.tagger.network.dropout, "seed_generator", None)
    if seeds is not None:
        local_seeds = context.strategy.experimental_local_results(seeds.state.value)
        for replica, seed in enumerate(local_seeds):
            seed.assign_add([context.rank * context.local_replicas + replica, 0])


def _make_train_step(
    strategy: tf.distribute.Strategy, learner: Learner, batch_spec: tuple
) -> Callable[[Sentences, tf.Tensor], tf.Tensor]:
    """Makes the function that updates the weights with a batch and returns its loss."""

    def gradients(sentences: Sentences, tag_ids: tf.Tensor) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        own_sentences, own_tags, weights = share_batch(
            sentences, tag_ids, context.replica_id_in_sync_group, strategy.num_replicas_in_sync
        )
        with tf.GradientTape() as tape:
            states = learner(own_sentences, training=True)
            loss = learner.compute_loss(own_sentences, own_tags, states, weights)
        own = tape.gradient(loss, [weight.value for weight in learner.trainable_weights])
        return context.all_reduce(_SUM, [loss, *own])

    @tf.function(input_signature=batch_spec, autograph=False)
    def train_step(sentences, tag_ids):
        summed = strategy.run(gradients, args=(sentences, tag_ids))
        loss, *summed = (strategy.experimental_local_results(part)[0] for part in summed)
        # Outside the replicas, where Keras takes gradients as summed: they are clipped as one.
        learner.optimizer.apply(summed, learner.trainable_weights)
        return loss

    return train_step


def share_batch(
    sentences: Sentences, tag_ids: tf.Tensor, replica: int | tf.Tensor, replicas: int
) -> tuple[Sentences, tf.Tensor, tf.Tensor]:
    """Returns a replica's share of a batch: every `replicas`-th sentence, beginning with number
    `replica`.

    A share has at least one sentence, as nothing can be computed without; where the batch has too
    few, that one has weight 0.

    Args:
        sentences: the batch.
        tag_ids: int32 [sentences, longest].
        replica: index of the replica.
        replicas: number of replicas.

    Returns:
        The sentences, their tag ids, and their weights in the loss, float32 [own sentences]: one
        over the tokens of the whole batch, so that the losses of the shares add up to the batch's
        mean loss a token.
    """
    size = tf.size(sentences.lengths)
    rows = tf.range(replica, tf.maximum(size, replica + 1), replicas)
    tokens = tf.cast(tf.maximum(tf.reduce_sum(sentences.lengths), 1), tf.float32)
    weights = tf.where(rows < size, 1 / tokens, 0.0)
    rows = tf.minimum(rows, size - 1)
    own = Sentences(*(tf.gather(part, rows) for part in sentences))
    return own, tf.gather(tag_ids, rows), weights
