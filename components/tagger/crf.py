"""A linear-chain conditional random field over IOB2 tags (Lafferty, McCallum and Pereira 2001), in TensorFlow operations.

A chain has emissions `[batch, tokens, tags]`, transitions `[tags, tags]` (from, to), scores of starting and ending with a
tag `[tags]`, and lengths `[batch]`; what lies past a length is ignored. Scores of illegal moves are `ILLEGAL`, so that no
path through them is ever the best one.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

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
    follows = np.array([[not to.startswith("I-") or tag[1:] == to[1:] for to in labels] for tag in labels])
    first = np.array([not tag.startswith("I-") for tag in labels])
    return follows, first


def masked(chain: Chain, labels: tuple[str, ...]) -> Chain:
    """The chain with illegal moves at `ILLEGAL`."""
    follows, first = legal_moves(labels)
    return Chain(tf.where(follows, chain.transitions, ILLEGAL), tf.where(first, chain.start, ILLEGAL), chain.end)


def log_likelihood(emissions: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> tf.Tensor:
    """Log probability of tag sequences `[batch, tokens]`, float32 `[batch]`; differentiable."""
    return path_score(emissions, tags, lengths, chain) - log_partition(emissions, lengths, chain)


def path_score(emissions: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> tf.Tensor:
    """Unnormalised log score of each given path, `[batch]`."""
    steps = _path_steps(emissions, tags, lengths, chain)
    last = tf.gather(tags, tf.maximum(lengths - 1, 0), axis=1, batch_dims=1)
    return tf.reduce_sum(steps, 1) + tf.where(lengths > 0, tf.gather(chain.end, last), 0.0)


def _path_steps(emissions: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> tf.Tensor:
    """What each token adds to the score of a path: emission and the move to it, `[batch, tokens]`, 0 past the end."""
    unary = tf.gather(emissions, tags, axis=2, batch_dims=2)
    pairs = tags[:, :-1] * tf.shape(chain.start)[0] + tags[:, 1:]
    moves = tf.gather(tf.reshape(chain.transitions, [-1]), pairs)
    steps = unary + tf.concat([tf.gather(chain.start, tags[:, :1]), moves], 1)
    return tf.where(_mask(emissions, lengths), steps, 0.0)


def log_partition(emissions: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> tf.Tensor:
    """Log of the sum over all paths of their exponentiated scores, `[batch]`.

    Its gradient is known in closed form, the marginals, which saves differentiating through the loop over tokens.
    """

    @tf.custom_gradient
    def partition(emissions, transitions, start, end):
        chain = Chain(transitions, start, end)
        sums = log_sums(emissions, lengths, chain)

        def gradient(upstream):
            unary = _unary_marginals(sums, lengths) * upstream[:, None, None]
            moves = _expected_moves(emissions, sums, lengths, upstream, chain)
            last = tf.one_hot(lengths - 1, tf.shape(emissions)[1])
            return unary, moves, tf.reduce_sum(unary[:, 0], 0), tf.einsum("btl,bt->l", unary, last)

        return sums.total, gradient

    return partition(emissions, *chain)


class LogSums(NamedTuple):
    """Logs of sums over paths: of all that lead to each tag of each token, `ahead` `[batch, tokens, tags]`; of all that leave it,
    its own emission left out, `back` of the same shape; and of all, `total` `[batch]`. Undefined past the end.
    """

    ahead: tf.Tensor
    back: tf.Tensor
    total: tf.Tensor


def log_sums(emissions: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> LogSums:
    """The forward and the backward recursion, side by side in one loop: turned round, the second is the first."""
    weights = tf.exp(chain.transitions)
    weights = tf.stack([weights, tf.transpose(weights)])  # [2, from, to]
    both = tf.stack([emissions, tf.reverse_sequence(emissions, lengths, seq_axis=1)])
    by_token = tf.transpose(both, [2, 0, 1, 3])  # [tokens, 2, batch, tags]
    first = by_token[0] + tf.stack([chain.start, chain.end])[:, None]

    def step(logs, emission):
        highest = tf.reduce_max(logs, 2, keepdims=True)
        return tf.math.log(tf.maximum(tf.exp(logs - highest) @ weights, _TINY)) + highest + emission

    sums = tf.transpose(tf.concat([first[None], tf.scan(step, _rest(by_token), first)[:-1]], 0), [1, 2, 0, 3])
    ahead, back = sums[0], tf.reverse_sequence(sums[1], lengths, seq_axis=1) - emissions
    last = tf.gather(ahead, tf.maximum(lengths - 1, 0), axis=1, batch_dims=1)
    return LogSums(ahead, back, tf.where(lengths > 0, tf.reduce_logsumexp(last + chain.end, 1), 0.0))


def marginals(emissions: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> tf.Tensor:
    """Probability of each tag at each token, `[batch, tokens, tags]`, 0 past the end."""
    return _unary_marginals(log_sums(emissions, lengths, chain), lengths)


def viterbi(emissions: tf.Tensor, lengths: tf.Tensor, chain: Chain) -> tf.Tensor:
    """The best path (Viterbi 1967), int32 `[batch, tokens]`, 0 past the end."""
    by_token = tf.transpose(emissions, [1, 0, 2])
    first = chain.start + by_token[0]
    into = tf.transpose(chain.transitions)  # [to, from]

    def step(state, emission):
        candidates = state[0][:, None, :] + into
        return tf.reduce_max(candidates, 2) + emission, tf.argmax(candidates, 2, tf.int32)

    scores, origins = tf.scan(step, _rest(by_token), initializer=(first, tf.zeros_like(first, tf.int32)))
    scores = tf.concat([first[None], scores[:-1]], 0)
    live = tf.transpose(_mask(emissions, lengths))
    # At its last token each sentence takes its best end; a later token's tag does not count.
    best_end = tf.argmax(scores + chain.end, 2, tf.int32)
    is_last = tf.range(tf.size(by_token[:, 0, 0]))[:, None] == lengths - 1

    def back(tag, inputs):
        origin, is_last, best_end = inputs
        return tf.where(is_last, best_end, tf.gather(origin, tag, axis=1, batch_dims=1))

    path = tf.scan(back, (origins, is_last, best_end), tf.zeros_like(lengths), reverse=True)
    return tf.transpose(tf.where(live, path, 0))


def _rest(by_token: tf.Tensor) -> tf.Tensor:
    """All tokens but the first, and one that does not count: `tf.scan` cannot scan over nothing, as a token alone would have it."""
    return tf.concat([by_token[1:], by_token[:1]], 0)


def entity_scores(
    emissions: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor, chain: Chain, labels: tuple[str, ...]
) -> tf.Tensor:
    """Posterior probability of each entity of a path, at its first token, `[batch, tokens]`; 0 where none begins.

    It is the share of all paths that have exactly this entity: they reach its first tag, run through it, and do not go on
    with it (the constrained forward-backward of Culotta and McCallum 2004).
    """
    sums = log_sums(emissions, lengths, chain)
    begins, goes_on, continuation = _entity_tables(labels)
    mask = _mask(emissions, lengths)
    begin = tf.gather(tf.constant(begins), tags) & mask
    goes_on = tf.concat([tf.gather(tf.constant(goes_on), tags)[:, 1:] & mask[:, 1:], tf.zeros_like(mask[:, :1])], 1)
    # In a legal path the k-th beginning belongs to the k-th end, in the order in which `where` lists them.
    first, last = tf.where(begin), tf.where((tags > 0) & mask & ~goes_on)
    sentence, end = last[:, 0], tf.cast(last[:, 1], tf.int32)
    tag = tf.gather_nd(tags, last)

    # Leaving an entity after its last token: all ways on, but for the one that would carry it further.
    onward = tf.gather_nd(tf.concat([emissions[:, 1:] + sums.back[:, 1:], tf.zeros_like(emissions[:, :1])], 1), last)
    further = tf.one_hot(tf.gather(tf.constant(continuation), tag), len(labels), True, False, dtype=tf.bool)
    moves = tf.where(further, ILLEGAL, tf.gather(chain.transitions, tag))
    is_last = end == tf.gather(lengths, sentence) - 1
    leave = tf.where(is_last, tf.gather(chain.end, tag), tf.reduce_logsumexp(moves + onward, 1))

    # The path through an entity, as a difference of sums along the sentence: in double, as long sums lose digits.
    walked = tf.cumsum(tf.cast(_path_steps(emissions, tags, lengths, chain), tf.float64), axis=1)
    inner = tf.cast(tf.gather_nd(walked, last) - tf.gather_nd(walked, first), tf.float32)
    reach = tf.gather_nd(tf.gather(sums.ahead, tags, axis=2, batch_dims=2), first)
    log_p = reach + inner + leave - tf.gather(sums.total, sentence)
    return tf.scatter_nd(first, tf.exp(tf.minimum(log_p, 0.0)), tf.shape(tags, tf.int64))


def _entity_tables(labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each tag: does an entity begin there, does one go on there, and which tag would carry it further (-1: none)."""
    begins = np.array([tag.startswith("B-") for tag in labels])
    goes_on = np.array([tag.startswith("I-") for tag in labels])
    continuation = np.array([labels.index("I-" + tag[2:]) if tag != "O" else -1 for tag in labels], np.int32)
    return begins, goes_on, continuation


def _unary_marginals(sums: LogSums, lengths: tf.Tensor) -> tf.Tensor:
    marginal = tf.exp(tf.minimum(sums.ahead + sums.back - sums.total[:, None, None], 0.0))
    return tf.where(_mask(sums.ahead, lengths)[:, :, None], marginal, 0.0)


def _expected_moves(
    emissions: tf.Tensor, sums: LogSums, lengths: tf.Tensor, upstream: tf.Tensor, chain: Chain
) -> tf.Tensor:
    """Expected number of each move `[from, to]`, weighted by `upstream` `[batch]`."""
    live = _mask(emissions, lengths)[:, 1:, None]
    after = tf.where(live, emissions[:, 1:] + sums.back[:, 1:], 0.0)
    highest = tf.reduce_max(after, 2, keepdims=True)
    # The largest partial sums need not lie on one legal path: the bound keeps exp finite, and the product is exact below it.
    before = tf.exp(tf.minimum(sums.ahead[:, :-1] + highest - sums.total[:, None, None], 80.0))
    before = tf.where(live, before, 0.0) * upstream[:, None, None]
    return tf.exp(chain.transitions) * tf.einsum("bti,btj->ij", before, tf.exp(after - highest))


def _mask(emissions: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    return tf.sequence_mask(lengths, tf.shape(emissions)[1])
