"""The CRF against enumeration of every path."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ner import tags
from components.tagger import crf
from components.tagger.batch import pack

LABELS = ("O", "B-A", "I-A", "B-B", "I-B")

# Compiled once for most shapes; eagerly, each call would trace its loops.
log_partition, viterbi, marginals, entity_scores = (
    tf.function(function, autograph=False, reduce_retracing=True)
    for function in (crf.log_partition, crf.viterbi, crf.marginals, crf.entity_scores)
)


@st.composite
def chains(draw, longest=4):
    """Random emissions for up to three sentences, their packing, and a chain with illegal tags masked."""
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=3))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([0.1, 1.0, 10.0]))
    emissions = random.normal(0, scale, (sum(lengths), len(LABELS))).astype("f")
    parts = (random.normal(0, scale, shape).astype("f") for shape in ((5, 5), (5,), (5,)))
    return (
        tf.constant(emissions),
        pack(tf.constant(lengths)),
        crf.mask_illegal(crf.Chain(*map(tf.constant, parts)), LABELS),
    )


def paths(length):
    """Every legal path of a length."""
    return [
        path
        for path in itertools.product(range(len(LABELS)), repeat=length)
        if not tags.ill_formed([LABELS[tag] for tag in path], "IOB2")
    ]


def path_scores(emissions, length, chain):
    """Every legal path with its score, summed in double precision."""
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
    """Yields each sentence's index, first token, length, and path scores."""
    emissions, packing, chain = example
    start = 0
    for row, length in enumerate(packing.lengths.numpy()):
        yield row, start, length, path_scores(emissions[start : start + length], length, chain)
        start += length


@settings(max_examples=30, deadline=None)
@given(chains())
def test_the_partition_is_the_sum_over_all_paths(example):
    partition = log_partition(*example).numpy()
    for row, _, _, scores in each_sentence(example):
        np.testing.assert_allclose(
            partition[row], np.logaddexp.reduce(list(scores.values())), rtol=1e-4, atol=1e-3
        )


@settings(max_examples=30, deadline=None)
@given(chains())
def test_viterbi_finds_the_best_path(example):
    tags = viterbi(*example).numpy()
    for _, start, length, scores in each_sentence(example):
        assert scores[tuple(tags[start : start + length])] == pytest.approx(
            max(scores.values()), abs=1e-3
        )


@settings(max_examples=30, deadline=None)
@given(chains(longest=70))
def test_the_viterbi_score_equals_that_of_dynamic_programming_on_long_sentences(example):
    emissions, packing, chain = example
    tags = viterbi(*example).numpy()
    transitions, begin, end = (part.numpy().astype("d") for part in chain)
    start = 0
    for length in packing.lengths.numpy():
        of_tokens = emissions.numpy().astype("d")[start : start + length]
        best, path = begin + of_tokens[0], tags[start : start + length]
        for of_token in of_tokens[1:]:
            best = (best[:, None] + transitions).max(axis=0) + of_token
        score = begin[path[0]] + end[path[-1]] + of_tokens[np.arange(length), path].sum()
        score += sum(transitions[move] for move in itertools.pairwise(path))
        assert score == pytest.approx((best + end).max(), rel=1e-5, abs=1e-3)
        start += length


@settings(max_examples=30, deadline=None)
@given(chains())
def test_marginals_are_the_shares_of_paths_through_a_tag(example):
    marginal = marginals(*example).numpy()
    for _, start, length, scores in each_sentence(example):
        total = np.logaddexp.reduce(list(scores.values()))
        for t, tag in itertools.product(range(length), range(len(LABELS))):
            through = [score for path, score in scores.items() if path[t] == tag]
            expected = np.exp(np.logaddexp.reduce(through) - total) if through else 0.0
            assert marginal[start + t, tag] == pytest.approx(expected, abs=2e-4)


@settings(max_examples=30, deadline=None)
@given(chains())
def test_entity_scores_are_the_shares_of_paths_with_that_entity(example):
    emissions, packing, chain = example
    best = viterbi(*example)
    entity_score = entity_scores(emissions, best, packing, chain, LABELS).numpy()
    for _, start, length, scores in each_sentence(example):
        total = np.logaddexp.reduce(list(scores.values()))
        spans = {path: tags.spans_of([LABELS[tag] for tag in path]) for path in scores}
        starts = set()
        for span in spans[tuple(best.numpy()[start : start + length])]:
            share = np.exp(
                np.logaddexp.reduce([scores[path] for path in scores if span in spans[path]])
                - total
            )
            assert entity_score[start + span.start] == pytest.approx(share, abs=2e-4)
            starts.add(span.start)
        assert not [t for t in range(length) if t not in starts and entity_score[start + t]]


@settings(max_examples=15, deadline=None)
@given(chains())
def test_the_gradient_of_the_partition_equals_automatic_differentiation(example):
    emissions, packing, chain = example
    inputs = (emissions, *chain)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(log_partition(*example) * tf.range(1.0, len(packing.lengths) + 1))
    closed = tape.gradient(total, inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = 0.0
        for row, start, length, _ in each_sentence(example):
            all_paths = tf.constant(paths(length), tf.int32)
            count = len(all_paths)
            scores = crf.path_score(
                tf.tile(emissions[start : start + length], [count, 1]),
                tf.reshape(all_paths, [-1]),
                pack(tf.fill([count], tf.constant(length, tf.int32))),
                chain,
            )
            total += (row + 1) * tf.reduce_logsumexp(scores)
    summed = tape.gradient(total, inputs)
    for one, other in zip(closed, summed, strict=True):
        np.testing.assert_allclose(one, tf.convert_to_tensor(other), atol=2e-3)


@settings(max_examples=20, deadline=None)
@given(chains(), st.integers(0, 2))
def test_an_empty_sentence_does_not_change_the_results_of_the_others(example, index):
    emissions, packing, chain = example
    lengths = packing.lengths.numpy().tolist()
    index = min(index, len(lengths))
    with_empty = pack(tf.constant(lengths[:index] + [0] + lengths[index:]))
    np.testing.assert_allclose(
        np.delete(log_partition(emissions, with_empty, chain), index),
        log_partition(*example),
        rtol=1e-5,
    )
    best = viterbi(*example)
    np.testing.assert_array_equal(viterbi(emissions, with_empty, chain), best)
    np.testing.assert_allclose(
        np.delete(crf.path_score(emissions, best, with_empty, chain), index),
        crf.path_score(emissions, best, packing, chain),
        rtol=1e-5,
    )


def test_illegal_tags_are_never_decoded_even_with_high_scores():
    emissions = np.zeros((3, 5), "f")
    emissions[:, LABELS.index("I-A")] = 100.0
    chain = crf.mask_illegal(crf.Chain(tf.zeros([5, 5]), tf.zeros([5]), tf.zeros([5])), LABELS)
    best = viterbi(tf.constant(emissions), pack(tf.constant([3])), chain).numpy()
    assert [LABELS[tag] for tag in best] == ["B-A", "I-A", "I-A"]


def test_a_sentence_does_not_depend_on_the_rest_of_the_batch():
    random = np.random.default_rng(3)
    chain = crf.mask_illegal(
        crf.Chain(
            *(tf.constant(random.normal(size=size).astype("f")) for size in ((5, 5), (5,), (5,)))
        ),
        LABELS,
    )
    sentence, other = (
        tf.constant(random.normal(size=(length, 5)).astype("f")) for length in (2, 6)
    )
    alone, together = (
        (sentence, pack(tf.constant([2]))),
        (tf.concat([sentence, other], 0), pack(tf.constant([2, 6]))),
    )
    np.testing.assert_allclose(
        log_partition(*alone, chain)[0], log_partition(*together, chain)[0], rtol=1e-6
    )
    np.testing.assert_array_equal(viterbi(*alone, chain), viterbi(*together, chain)[:2])
