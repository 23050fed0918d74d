"""The tag distribution of a new tagger before training."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tagger import crf
from components.tagger.batch import pack
from components.tagger.network import Sizes
from components.tagger.tagger import Tagger
from tests.model.conftest import LABELS, SMALL

CHAIN = crf.mask_illegal(
    crf.Chain(*map(tf.zeros, ([len(LABELS)] * 2, len(LABELS), len(LABELS)))), LABELS
)
FOLLOWS, FIRST = CHAIN.transitions.numpy() == 0, CHAIN.start.numpy() == 0
NUMBER = len(LABELS)


def legal(path):
    return FIRST[path[0]] and all(FOLLOWS[move] for move in itertools.pairwise(path))


LEGAL = [
    [path for path in itertools.product(range(NUMBER), repeat=n) if legal(path)]
    for n in range(1, 4)
]
PATHS = st.sampled_from([path for paths in LEGAL for path in paths])


def counted(train):
    """The tag counts of sentences for `Tagger.init_output_from_counts`."""
    moves = np.zeros((NUMBER + 1, NUMBER + 1), np.int64)
    for path in train:
        for move in itertools.pairwise((NUMBER, *path, NUMBER)):
            moves[move] += 1
    return moves


def chance(moves, path):
    """The log probability of the tags in the hidden Markov model of the counts, with add-one smoothing."""
    result = 0.0
    for before, to in itertools.pairwise((NUMBER, *path, NUMBER)):
        share = (moves[:, to].sum() + 1) / (moves.sum() + NUMBER + 1)
        result += math.log((moves[before, to] + share) / (moves[before].sum() + 1))
    return result


@settings(max_examples=25, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=12), st.integers(1, 3))
def test_a_new_tagger_is_the_hidden_markov_model_of_the_tags(train, length):
    tagger = Tagger(Sizes(50, 30, 40), LABELS, SMALL)
    moves = counted(train)
    tagger.init_output_from_counts(moves)
    paths = LEGAL[length - 1]
    emissions = tf.tile(tagger.network.emissions.bias[None], [length * len(paths), 1])
    losses = tagger.losses(
        emissions, tf.constant(paths, tf.int32).numpy().ravel(), tf.fill([len(paths)], length)
    )
    expected = np.array([chance(moves, path) for path in paths])
    expected -= np.log(np.exp(expected).sum())
    np.testing.assert_allclose(-losses.numpy(), expected, rtol=1e-3, atol=1e-3)


def test_a_softmax_starts_from_tag_counts_and_has_no_transitions():
    tagger = Tagger(Sizes(50, 30, 40), LABELS, SMALL.model_copy(update={"output": "softmax"}))
    moves = counted([(0, 0, 0), (0, 1, 2), (0,)])
    tagger.init_output_from_counts(moves)
    shares = tf.nn.softmax(tagger.network.emissions.bias).numpy()
    assert shares[:3] == pytest.approx(shares[3] * np.array([6, 2, 2]))
    assert not any(np.any(weight) for weight in (tagger.transitions, tagger.start, tagger.end))


def test_a_new_tagger_decodes_the_most_frequent_sequence():
    tagger = Tagger(Sizes(50, 30, 40), LABELS, SMALL)
    tagger.init_output_from_counts(counted([(0, 0, 1)] * 30))
    emissions = tf.tile(tagger.network.emissions.bias[None], [3, 1])
    assert tagger.best_tags(
        emissions, pack(tf.constant([3])), tf.constant(0.0)
    ).numpy().tolist() == [0, 0, 1]
