"""The training of a tagger: its loss, and the auxiliary language-model loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tagger.batch import Sentences
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from components.training import learner as training_learner
from components.training.callbacks import Backup
from components.training.learner import STEPS_PER_EXECUTION, LanguageModelLoss, Learner, SparseAdam
from tests.model.conftest import LABELS, SMALL, make_tagger

UNITS, WORDS = 3, 7


def full_softmax_loss(weights, biases, targets, inputs, sampled):
    """The loss over all words, which sampled softmax estimates."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        targets, inputs @ tf.transpose(weights) + biases
    )


def losses_by_definition(lm_loss, sentences, states):
    """The losses by definition: for each token, the loss of predicting its neighbours in its sentence."""
    ahead, back = (
        {name: value.numpy() for name, value in side.items()}
        for side in (lm_loss.forward, lm_loss.backward)
    )

    def loss(side, state, target):
        scores = np.tanh(state @ side["projection"]) @ side["words"].T + side["bias"]
        return np.log(np.exp(scores).sum()) - scores[target]

    rare, nothing = WORDS, WORDS + 1
    for words, own in zip(sentences, states):
        around = [nothing, *(min(word, rare) for word in words), nothing]
        yield sum(
            loss(ahead, own[n, :UNITS], around[n + 2]) + loss(back, own[n, UNITS:], around[n])
            for n in range(len(words))
        )


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_each_token_predicts_its_neighbours_within_its_sentence(data):
    sentences = data.draw(
        st.lists(
            st.lists(st.integers(0, WORDS + 3), min_size=1, max_size=5), min_size=1, max_size=4
        )
    )
    lengths = [len(words) for words in sentences]
    states = (
        np.random.default_rng(sum(lengths))
        .normal(size=(sum(lengths), 2 * UNITS))
        .astype(np.float32)
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_learner, "sampled_softmax_loss", full_softmax_loss)
        lm_loss = LanguageModelLoss(WORDS, UNITS)
        found = lm_loss(tf.constant(states), tf.concat(sentences, 0), tf.constant(lengths)).numpy()
    expected = list(
        losses_by_definition(lm_loss, sentences, np.split(states, np.cumsum(lengths)[:-1]))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=6), st.integers(1, 20), st.integers(0, 99))
def test_the_sampled_softmax_loss_equals_tensorflows(targets, samples, seed):
    random = np.random.default_rng(seed)
    weights, biases, inputs = (
        tf.constant(random.normal(size=shape), tf.float32)
        for shape in ((20, 4), (20,), (len(targets), 4))
    )
    targets = tf.constant(targets, tf.int64)
    sampled = tf.random.log_uniform_candidate_sampler(
        targets[:, None], 1, samples, unique=True, range_max=20, seed=seed
    )
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((weights, biases, inputs))
        losses = training_learner.sampled_softmax_loss(weights, biases, targets, inputs, sampled)
        expected = tf.nn.sampled_softmax_loss(
            weights, biases, targets[:, None], inputs, samples, 20, sampled_values=sampled
        )
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-5)
    for variable in (weights, biases, inputs):
        gradients = [
            tf.convert_to_tensor(tape.gradient(loss, variable)) for loss in (losses, expected)
        ]
        np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-5)


def batch(words):
    """Sentences of one length whose tokens differ by their words alone."""
    words = tf.constant(words, tf.int32)
    same = tf.zeros_like(words)
    return Sentences(
        words,
        same,
        same,
        tf.tile(same[:, :, None], [1, 1, 4]),
        tf.tile(same[:, :, None], [1, 1, 2]),
        tf.cast(words, tf.int64),
        tf.fill([words.shape[0]], words.shape[1]),
    )


def learner(weight):
    tf.random.set_seed(1)
    settings = SMALL.model_copy(update={"dropout": 0.0, "word_dropout": 0.0})
    return Learner(make_tagger(settings), lm_loss_weight=weight)


def loss_of(one, sentences, tags, weights=None):
    return float(one.compute_loss(sentences, tags, one(sentences, training=True), weights))


def test_without_a_weight_the_loss_is_the_taggers():
    sentences, tags = batch([[1, 2, 3], [4, 5, 6]]), tf.constant([[0, 1, 0], [1, 0, 0]])
    one = learner(0)
    emissions, lengths = one.tagger(sentences), sentences.lengths
    expected = tf.reduce_sum(one.tagger.losses(emissions, tf.reshape(tags, [-1]), lengths)) / 6
    assert loss_of(one, sentences, tags) == pytest.approx(float(expected), rel=1e-5)
    assert len(one.trainable_weights) == len(one.tagger.trainable_weights)


def test_sample_weights_apply_to_both_losses(monkeypatch):
    monkeypatch.setattr(training_learner, "sampled_softmax_loss", full_softmax_loss)
    sentences, tags = batch([[1, 2, 3], [4, 5, 6]]), tf.constant([[0, 1, 0], [1, 0, 0]])
    one = learner(0.5)
    parts = [
        loss_of(one, sentences, tags, tf.constant(weights))
        for weights in ([1 / 6, 0.0], [0.0, 1 / 6])
    ]
    assert sum(parts) == pytest.approx(loss_of(one, sentences, tags), rel=1e-5)
    assert loss_of(one, sentences, tags) > loss_of(learner(0), sentences, tags)


def test_the_language_model_learns_word_order_and_adds_no_variables_to_the_tagger():
    """In these sentences each word determines the next, so a state that encodes its word can
    predict it.
    """
    one = learner(1.0)
    one.compile("adam")
    one.optimizer.learning_rate = 0.02
    rows = [[(start + n) % 10 for n in range(6)] for start in range(10)]
    sentences, tags = batch(rows), tf.zeros([10, 6], tf.int32)
    data = tf.data.Dataset.from_tensors((sentences, tags)).repeat(150)
    before = len(one.tagger.variables)
    losses = one.fit(data, epochs=2, verbose=0).history["loss"]
    untold = np.log(
        min(LanguageModelLoss.SAMPLED, one.tagger.sizes.words + 2)
    )  # of one direction, if nothing were known
    assert losses[-1] < untold / 2, losses
    assert len(one.tagger.variables) == before and not [
        v.path for v in one.tagger.variables if "lm_loss" in v.path
    ]


def test_a_preceding_character_unseen_in_train_is_read_as_no_character():
    tagger = Tagger(Sizes(50, 30, 40), LABELS, SMALL)

    def emissions(joint):
        return tagger(
            batch([[1, 2, 3]])._replace(preceding_chars=tf.constant([[0, joint, 0]]))
        ).numpy()

    one = Learner(tagger, lm_loss_weight=0.0)
    one.compile(SparseAdam(0.01, gradient_norm=1.0))
    sentences = batch([[1, 2, 3], [4, 5, 6]])._replace(
        preceding_chars=tf.constant([[0, 2, 0], [0, 0, 2]])
    )
    one.fit(
        tf.data.Dataset.from_tensors((sentences, tf.constant([[0, 1, 0], [1, 0, 2]]))).repeat(5),
        verbose=0,
    )
    np.testing.assert_array_equal(emissions(3), emissions(0))
    assert np.abs(emissions(2) - emissions(0)).max() > 1e-6


def test_a_step_is_traced_once_for_all_shapes_of_batch(monkeypatch):
    traced, loss = [], Learner.compute_loss
    monkeypatch.setattr(
        Learner, "compute_loss", lambda *args, **kwargs: traced.append(1) or loss(*args, **kwargs)
    )
    made = [(batch([[1, 2, 3]] * size), tf.zeros([size, 3], tf.int32)) for size in (1, 2, 3)]
    spec = tf.nest.map_structure(
        lambda part: tf.TensorSpec([None] * part.shape.rank, part.dtype), made[0]
    )
    one = learner(0.1)
    one.compile(SparseAdam(0.01, gradient_norm=1.0))
    one.fit(
        tf.data.Dataset.from_generator(lambda: iter(made), output_signature=spec),
        epochs=2,
        verbose=0,
    )
    assert len(traced) == 1


@pytest.mark.parametrize("number", [1, STEPS_PER_EXECUTION, STEPS_PER_EXECUTION + 3])
def test_an_epoch_takes_each_batch_once(number):
    made = [(batch([[1, 2, 3]]), tf.zeros([1, 3], tf.int32))] * number
    spec = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), made[0])
    one = learner(0.1)
    one.compile(SparseAdam(0.01, gradient_norm=1.0))
    one.fit(
        tf.data.Dataset.from_generator(lambda: iter(made), output_signature=spec),
        epochs=3,
        verbose=0,
    )
    assert int(one.optimizer.iterations) == 3 * number


def test_a_training_killed_while_it_writes_a_backup_continues_from_the_one_before(
    tmp_path, monkeypatch
):
    def trained(epochs):
        one = learner(0.1)
        one.compile(SparseAdam(0.01, gradient_norm=1.0))
        data = tf.data.Dataset.from_tensors((batch([[1, 2, 3]]), tf.ones([1, 3], tf.int32)))
        began = []
        telling = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: began.append(epoch)
        )
        backup = Backup(tmp_path)
        first = backup.restore(one)
        one.fit(data, epochs=epochs, initial_epoch=first, verbose=0, callbacks=[backup, telling])
        return one, began

    def killed(self, path, overwrite):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Learner, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(1)
    first, began = trained(2)
    assert began == [0, 1] and first.optimizer.iterations > 0
    with monkeypatch.context() as patched:
        patched.setattr(Learner, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(3)
    (kept,) = tmp_path.glob("after-*")
    again = learner(0.1)
    again.compile(SparseAdam(0.01, gradient_norm=1.0))
    again.load_weights(kept)
    for one, other in zip(
        (*first.variables, *first.optimizer.variables),
        (*again.variables, *again.optimizer.variables),
    ):
        np.testing.assert_array_equal(one, other)
    assert trained(3)[1] == [2]
