"""The CRF against enumeration of every path."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ner import tags
from components.tagger import crf

LABELS = ("O", "B-A", "I-A", "B-B", "I-B")


@st.composite
def chains(draw):
    """Random emissions for sentences of lengths 1 to 4 in one padded batch, and a chain with illegal moves masked."""
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([0.1, 1.0, 10.0]))
    size = (len(lengths), max(lengths) + draw(st.integers(0, 2)), len(LABELS))
    emissions = random.normal(0, scale, size).astype("f")
    parts = (random.normal(0, scale, shape).astype("f") for shape in ((5, 5), (5,), (5,)))
    return tf.constant(emissions), tf.constant(lengths), crf.masked(crf.Chain(*map(tf.constant, parts)), LABELS)


def paths(length):
    """Every legal path of that length."""
    return [
        path
        for path in itertools.product(range(len(LABELS)), repeat=length)
        if not tags.ill_formed([LABELS[tag] for tag in path], "IOB2")
    ]


def path_scores(emissions, length, chain):
    """Every legal path with its score, added up one by one in double precision."""
    transitions, start, end = (part.numpy().astype("d") for part in chain)
    emissions = emissions.numpy().astype("d")
    return {
        path: start[path[0]]
        + end[path[-1]]
        + sum(emissions[t, tag] for t, tag in enumerate(path))
        + sum(transitions[move] for move in itertools.pairwise(path))
        for path in paths(length)
    }


def each_sentence(example):
    emissions, lengths, chain = example
    for row, length in enumerate(lengths.numpy()):
        yield row, length, path_scores(emissions[row], length, chain)


@settings(max_examples=30, deadline=None)
@given(chains())
def test_partition_is_the_sum_over_all_paths(example):
    found = crf.log_partition(*example).numpy()
    for row, _, scores in each_sentence(example):
        np.testing.assert_allclose(found[row], np.logaddexp.reduce(list(scores.values())), rtol=1e-4, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(chains())
def test_viterbi_finds_the_best_path(example):
    emissions, lengths, chain = example
    found = crf.viterbi(emissions, lengths, chain).numpy()
    for row, length, scores in each_sentence(example):
        assert scores[tuple(found[row, :length])] == pytest.approx(max(scores.values()), abs=1e-3)
        assert not found[row, length:].any()


@settings(max_examples=30, deadline=None)
@given(chains())
def test_marginals_are_the_shares_of_paths_through_a_tag(example):
    found = crf.marginals(*example).numpy()
    for row, length, scores in each_sentence(example):
        total = np.logaddexp.reduce(list(scores.values()))
        for t, tag in itertools.product(range(length), range(len(LABELS))):
            through = [score for path, score in scores.items() if path[t] == tag]
            expected = np.exp(np.logaddexp.reduce(through) - total) if through else 0.0
            assert found[row, t, tag] == pytest.approx(expected, abs=2e-4)


@settings(max_examples=30, deadline=None)
@given(chains())
def test_entity_scores_are_the_shares_of_paths_with_that_entity(example):
    emissions, lengths, chain = example
    best = crf.viterbi(emissions, lengths, chain)
    found = crf.entity_scores(emissions, best, lengths, chain, LABELS).numpy()
    for row, length, scores in each_sentence(example):
        total = np.logaddexp.reduce(list(scores.values()))
        spans = {path: tags.spans_of([LABELS[tag] for tag in path]) for path in scores}
        starts = set()
        for span in spans[tuple(best.numpy()[row, :length])]:
            share = np.exp(np.logaddexp.reduce([scores[path] for path in scores if span in spans[path]]) - total)
            assert found[row, span.start] == pytest.approx(share, abs=2e-4)
            starts.add(span.start)
        assert not [t for t in range(found.shape[1]) if t not in starts and found[row, t]]


@settings(max_examples=15, deadline=None)
@given(chains())
def test_gradient_of_the_partition_is_that_of_differentiating_through_the_sum(example):
    emissions, lengths, chain = example
    inputs = (emissions, *chain)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(crf.log_partition(emissions, lengths, chain) * tf.range(1.0, len(lengths) + 1))
    closed = tape.gradient(total, inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = 0.0
        for row, length in enumerate(lengths.numpy()):
            all_paths = tf.constant(paths(length), tf.int32)
            count = len(all_paths)
            scores = crf.path_score(
                tf.repeat(emissions[row : row + 1, :length], count, 0),
                all_paths,
                tf.fill([count], tf.constant(length, tf.int32)),
                chain,
            )
            total += (row + 1) * tf.reduce_logsumexp(scores)
    summed = tape.gradient(total, inputs)
    for one, other in zip(closed, summed, strict=True):
        np.testing.assert_allclose(one, tf.convert_to_tensor(other), atol=2e-3)


def test_illegal_tags_never_come_out_however_strong_they_are():
    emissions = np.zeros((1, 3, 5), "f")
    emissions[0, :, LABELS.index("I-A")] = 100.0
    chain = crf.masked(crf.Chain(tf.zeros([5, 5]), tf.zeros([5]), tf.zeros([5])), LABELS)
    best = crf.viterbi(tf.constant(emissions), tf.constant([3]), chain).numpy()[0]
    assert [LABELS[tag] for tag in best] == ["B-A", "I-A", "I-A"]


def test_a_sentence_does_not_depend_on_the_padding_beside_it():
    random = np.random.default_rng(3)
    chain = crf.masked(
        crf.Chain(*(tf.constant(random.normal(size=size).astype("f")) for size in ((5, 5), (5,), (5,)))), LABELS
    )
    alone = tf.constant(random.normal(size=(1, 2, 5)).astype("f"))
    padded = tf.concat([alone, tf.fill([1, 6, 5], 50.0)], 1)
    lengths = tf.constant([2])
    np.testing.assert_allclose(
        crf.log_partition(alone, lengths, chain), crf.log_partition(padded, lengths, chain), rtol=1e-6
    )
    assert (
        crf.viterbi(alone, lengths, chain).numpy()[0].tolist()
        == crf.viterbi(padded, lengths, chain).numpy()[0, :2].tolist()
    )
