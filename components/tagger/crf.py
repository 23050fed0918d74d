"""A linear-chain conditional random field over IOB2 tags (Lafferty, McCallum and Pereira 2001), in TensorFlow operations.

A chain has transitions `[tags, tags]` (from, to) and scores of starting and ending with a tag `[tags]`. Emissions are float32
`[tokens, tags]` of all sentences of a batch, one after the other, as their `Packing` says. Scores of illegal moves are
`ILLEGAL`, so that no path through them is ever the best one.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components import flow
from components.tagger.packing import Packing, inverse, order, walk

ILLEGAL = -1e4
_TINY = 1e-37  # keeps the logarithm of a sum that underflowed finite


class Chain(NamedTuple):
    """Transition `[from, to]`, start and end scores of a chain, each float32."""

    transitions: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor


def legal_moves(labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which IOB2 tags may follow each other, bool `[tags, tags]`, and which may come first, bool `[tags]`.

    `I-X` follows only `B-X` and `I-X`, and never comes first.
    """
    follows = np.array(
        [[not to.startswith("I-") or tag[1:] == to[1:] for to in labels] for tag in labels]
    )
    first = np.array([not tag.startswith("I-") for tag in labels])
    return follows, first


def masked(chain: Chain, labels: tuple[str, ...]) -> Chain:
    """The chain with illegal moves at `ILLEGAL`."""
    follows, first = legal_moves(labels)
    return Chain(
        tf.where(follows, chain.transitions, ILLEGAL),
        tf.where(first, chain.start, ILLEGAL),
        chain.end,
    )


def log_likelihood(
    emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain
) -> tf.Tensor:
    """Log probability of the tags `[tokens]` of each sentence, float32 `[sentences]`; differentiable."""
    return path_score(emissions, tags, packing, chain) - log_partition(emissions, packing, chain)


def path_score(emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Unnormalised log score of each sentence's given path, `[sentences]`."""
    steps = _path_steps(emissions, tags, packing, chain)
    steps = tf.math.unsorted_segment_sum(steps, packing.owners, tf.size(packing.lengths))
    last = tf.gather(tf.concat([tags, [0]], 0), _last(packing))
    return steps + tf.where(packing.lengths > 0, tf.gather(chain.end, last), 0.0)


def _last(packing: Packing) -> tf.Tensor:
    """The place of each sentence's last token; of an empty one any place, or one past all."""
    return tf.maximum(tf.cumsum(packing.lengths) - 1, 0)


def _is_first(packing: Packing) -> tf.Tensor:
    """Which tokens begin a sentence, bool `[tokens]`."""
    return packing.owners != tf.concat([[-1], packing.owners[:-1]], 0)


def _is_last(packing: Packing) -> tf.Tensor:
    """Which tokens end a sentence, bool `[tokens]`."""
    return packing.owners != tf.concat([packing.owners[1:], [-1]], 0)


def _path_steps(emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """What each token adds to the score of a path: emission and the move to it, `[tokens]`."""
    unary = tf.gather(emissions, tags, axis=1, batch_dims=1)
    before = tf.concat([tf.zeros_like(tags[:1]), tags[:-1]], 0)
    moves = tf.gather(tf.reshape(chain.transitions, [-1]), before * tf.shape(chain.start)[0] + tags)
    return unary + tf.where(_is_first(packing), tf.gather(chain.start, tags), moves)


def log_partition(emissions: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Log of the sum over all paths of their exponentiated scores, `[sentences]`.

    Its gradient is known in closed form, the marginals, which saves differentiating through the loop over tokens.
    """

    @tf.custom_gradient
    def partition(emissions, transitions, start, end):
        chain = Chain(transitions, start, end)
        sums = log_sums(emissions, packing, chain)

        def gradient(upstream):
            upstream = tf.gather(upstream, packing.owners)[:, None]
            unary = _unary_marginals(sums, packing) * upstream
            moves = _expected_moves(emissions, sums, packing, upstream, chain)
            starts, ends = (
                tf.reduce_sum(tf.gather_nd(unary, tf.where(which(packing))), 0)
                for which in (_is_first, _is_last)
            )
            return unary, moves, starts, ends

        return sums.total, gradient

    return partition(emissions, *chain)


class LogSums(NamedTuple):
    """Logs of sums over paths: of all that lead to each tag of each token, `ahead` `[tokens, tags]`; of all that leave it, its own
    emission left out, `back` of the same shape; and of all, `total` `[sentences]`.
    """

    ahead: tf.Tensor
    back: tf.Tensor
    total: tf.Tensor


def log_sums(emissions: tf.Tensor, packing: Packing, chain: Chain) -> LogSums:
    """The forward and the backward recursion, side by side in one loop: turned round, the second is the first."""
    weights = tf.exp(chain.transitions)
    weights = tf.stack([weights, tf.transpose(weights)])  # [2, from, to]
    packed = tf.gather(emissions, packing.readings // 2)
    tags = chain.start.shape[0]
    first = tf.tile(tf.stack([chain.start, chain.end])[:, None], [1, packing.counts[0], 1])

    def step(state, come, held):
        logs = state[0] + come[0]
        highest = tf.reduce_max(logs, 2, keepdims=True)
        reach = tf.math.log(tf.maximum(tf.exp(logs - highest) @ held[0], _TINY)) + highest
        return (reach,), (logs,)

    sums = walk(
        packing.counts, step, (first,), (packed,), [tf.TensorSpec([None, tags])], (weights,)
    )[0]
    sums = tf.gather(sums, packing.places)
    sums = tf.reshape(sums, [-1, 2, tags])
    ahead, back = sums[:, 0], sums[:, 1] - emissions
    total = tf.reduce_logsumexp(tf.gather(ahead, _last(packing)) + chain.end, 1)
    return LogSums(ahead, back, tf.where(packing.lengths > 0, total, 0.0))


def marginals(emissions: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Probability of each tag at each token, `[tokens, tags]`."""
    return _unary_marginals(log_sums(emissions, packing, chain), packing)


def viterbi(emissions: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """The best path of each sentence (Viterbi 1967), int32 `[tokens]`."""
    tags = chain.start.shape[0]
    ahead = order(packing, 0)
    first = tf.tile(chain.start[None], [packing.counts[0], 1])
    # What follows a token: one of the tags, or the end.
    onward = tf.concat([tf.transpose(chain.transitions), chain.end[None]], 0)  # [to, from]

    def step(state, come, held):
        ways = (state[0] + come[0])[:, None] + held[0]
        return (tf.reduce_max(ways, 2)[:, :tags],), (tf.argmax(ways, 2, tf.int32),)

    kept = [tf.TensorSpec([None, tags + 1], tf.int32)]
    origins = walk(packing.counts, step, (first,), (tf.gather(emissions, ahead),), kept, (onward,))[
        0
    ]
    origins = tf.gather(origins, inverse(ahead))
    return _traced_back(
        tf.where(_is_last(packing)[:, None], origins[:, tags:], origins[:, :tags]), packing
    )


def _traced_back(origins: tf.Tensor, packing: Packing) -> tf.Tensor:
    """The paths, int32 `[tokens]`, where `origins` `[tokens, tags]` is the best tag of each token by the tag of the one after it; of
    a sentence's last token the same for all.

    A walk back has a step a token. Here each step doubles how far ahead a token's row looks, up to where it is the same for all
    (pointer jumping, as in the parallel prefix of Hillis and Steele 1986).
    """

    def double(far, origins, longest):
        # What comes round from the end is behind some sentence's last token, where it makes no difference.
        return 2 * far, tf.gather(origins, tf.roll(origins, -far, 0), axis=1, batch_dims=1)

    specs = tf.TensorSpec([], tf.int32), tf.TensorSpec(origins.shape, tf.int32)
    _, origins = flow.loop(
        lambda far, origins, longest: far < longest,
        double,
        (tf.constant(1), origins),
        specs,
        (tf.reduce_max(packing.lengths),),
    )
    return origins[:, 0]


def entity_scores(
    emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain, labels: tuple[str, ...]
) -> tf.Tensor:
    """Posterior probability of each entity of a path `[tokens]`, at its first token, `[tokens]`; 0 where none begins.

    It is the share of all paths that have exactly this entity: they reach its first tag, run through it, and do not go on
    with it (the constrained forward-backward of Culotta and McCallum 2004).
    """
    sums = log_sums(emissions, packing, chain)
    begins, goes_on, continuation = _entity_tables(labels)
    is_last = _is_last(packing)
    ends = is_last | ~tf.concat([tf.gather(tf.constant(goes_on), tags)[1:], [False]], 0)
    # In a legal path the k-th beginning belongs to the k-th end, in the order in which `where` lists them.
    first, last = (
        tf.where(tf.gather(tf.constant(begins), tags))[:, 0],
        tf.where((tags > 0) & ends)[:, 0],
    )
    tag = tf.gather(tags, last)

    # Leaving an entity after its last token: all ways on, but for the one that would carry it further.
    onward = tf.gather(
        tf.concat([(emissions + sums.back)[1:], tf.zeros_like(emissions[:1])], 0), last
    )
    further = tf.one_hot(
        tf.gather(tf.constant(continuation), tag), len(labels), True, False, dtype=tf.bool
    )
    moves = tf.where(further, ILLEGAL, tf.gather(chain.transitions, tag))
    leave = tf.where(
        tf.gather(is_last, last), tf.gather(chain.end, tag), tf.reduce_logsumexp(moves + onward, 1)
    )

    # The path through an entity, as a difference of sums along all tokens: in double, as long sums lose digits.
    walked = tf.cumsum(tf.cast(_path_steps(emissions, tags, packing, chain), tf.float64))
    inner = tf.cast(tf.gather(walked, last) - tf.gather(walked, first), tf.float32)
    reach = tf.gather(tf.gather(sums.ahead, first), tf.gather(tags, first), axis=1, batch_dims=1)
    log_p = reach + inner + leave - tf.gather(sums.total, tf.gather(packing.owners, first))
    return tf.scatter_nd(first[:, None], tf.exp(tf.minimum(log_p, 0.0)), tf.shape(tags, tf.int64))


def _entity_tables(labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each tag: does an entity begin there, does one go on there, and which tag would carry it further (-1: none)."""
    begins = np.array([tag.startswith("B-") for tag in labels])
    goes_on = np.array([tag.startswith("I-") for tag in labels])
    continuation = np.array(
        [labels.index("I-" + tag[2:]) if tag != "O" else -1 for tag in labels], np.int32
    )
    return begins, goes_on, continuation


def _unary_marginals(sums: LogSums, packing: Packing) -> tf.Tensor:
    total = tf.gather(sums.total, packing.owners)[:, None]
    return tf.exp(tf.minimum(sums.ahead + sums.back - total, 0.0))


def _expected_moves(
    emissions: tf.Tensor, sums: LogSums, packing: Packing, upstream: tf.Tensor, chain: Chain
) -> tf.Tensor:
    """Expected number of each move `[from, to]`, weighted by `upstream` `[tokens, 1]`."""
    live = ~_is_last(packing)[:-1, None]
    after = (emissions + sums.back)[1:]
    highest = tf.reduce_max(after, 1, keepdims=True)
    total = tf.gather(sums.total, packing.owners)[:-1, None]
    # The largest partial sums need not lie on one legal path: the bound keeps exp finite, and the product is exact below it.
    before = tf.exp(tf.minimum(sums.ahead[:-1] + highest - total, 80.0))
    before = tf.where(live, before * upstream[:-1], 0.0)
    return tf.exp(chain.transitions) * tf.matmul(before, tf.exp(after - highest), transpose_a=True)
