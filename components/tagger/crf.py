"""A linear-chain conditional random field over IOB2 tags (Lafferty, McCallum and Pereira 2001).

Emissions are float32 [tokens, tags]: the scores of all tokens of a batch, sentence after sentence,
as its `Packing` says. Illegal transitions, as from O to I-PER, score `ILLEGAL`, so that no path
through them is ever the best one.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.tagger.batch import Packing
from components.tagger.recurrence import functional_while, packed_scan

ILLEGAL = -1e4
_TINY = 1e-37  # keeps the logarithm of a sum that underflowed finite


class Chain(NamedTuple):
    """The transition scores.

    Attributes:
        transitions: score of one tag following another, float32 [tags, tags] (from, to).
        start: score of a sentence beginning with a tag, float32 [tags].
        end: score of a sentence ending with a tag, float32 [tags].
    """

    transitions: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor


def mask_illegal(chain: Chain, labels: tuple[str, ...]) -> Chain:
    """Returns the chain with illegal transitions at `ILLEGAL`: `I-X` follows only `B-X` and `I-X`,
    and never comes first. `labels` are the tags by id.
    """
    may_follow = np.array(
        [[not to.startswith("I-") or tag[1:] == to[1:] for to in labels] for tag in labels]
    )
    may_start = np.array([not tag.startswith("I-") for tag in labels])
    return Chain(
        tf.where(may_follow, chain.transitions, ILLEGAL),
        tf.where(may_start, chain.start, ILLEGAL),
        chain.end,
    )


def log_likelihood(
    emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain
) -> tf.Tensor:
    """Computes the log probability of each sentence's tags; differentiable.

    Args:
        emissions: float32 [tokens, tags].
        tags: tag ids, int32 [tokens].
        packing: of the batch.
        chain: the transition scores.

    Returns:
        float32 [sentences].
    """
    return path_score(emissions, tags, packing, chain) - log_partition(emissions, packing, chain)


def path_score(emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Computes the unnormalized log score of each sentence's tags, [sentences]; arguments as in
    `log_likelihood`.
    """
    steps = _path_steps(emissions, tags, packing, chain)
    steps = tf.math.unsorted_segment_sum(steps, packing.sentence_ids, tf.size(packing.lengths))
    last = tf.gather(tf.concat([tags, [0]], 0), _last_tokens(packing))
    return steps + tf.where(packing.lengths > 0, tf.gather(chain.end, last), 0.0)


def _last_tokens(packing: Packing) -> tf.Tensor:
    """The index of each sentence's last token, int32 [sentences]; of an empty sentence any index,
    or one past the last token.
    """
    return tf.maximum(tf.cumsum(packing.lengths) - 1, 0)


def _path_steps(emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """What each token adds to the score of a path, its emission and transition, [tokens]."""
    unary = tf.gather(emissions, tags, axis=1, batch_dims=1)
    previous = tf.concat([tf.zeros_like(tags[:1]), tags[:-1]], 0)
    transitions = tf.gather(
        tf.reshape(chain.transitions, [-1]), previous * tf.shape(chain.start)[0] + tags
    )
    return unary + tf.where(packing.is_first, tf.gather(chain.start, tags), transitions)


def log_partition(emissions: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Computes the log of the sum over all paths of their exponentiated scores, [sentences].

    Its gradient is known in closed form, the marginals, which saves differentiating through the
    loop over tokens.
    """

    @tf.custom_gradient
    def partition(emissions, transitions, start, end):
        chain = Chain(transitions, start, end)
        sums = log_sums(emissions, packing, chain)

        def gradient(upstream):
            upstream = tf.gather(upstream, packing.sentence_ids)[:, None]  # (tokens, 1)
            unary = _tag_marginals(sums, packing) * upstream
            expected = _expected_transitions(emissions, sums, packing, upstream, chain)
            starts, ends = (
                tf.reduce_sum(tf.gather_nd(unary, tf.where(mask)), 0)
                for mask in (packing.is_first, packing.is_last)
            )
            return unary, expected, starts, ends

        return sums.total, gradient

    return partition(emissions, *chain)


class LogSums(NamedTuple):
    """Logs of sums over paths (the forward-backward algorithm, Rabiner 1989).

    Attributes:
        forward: over all paths up to each tag of each token, its emission included, [tokens, tags].
        backward: over all paths on from it, its own emission left out, [tokens, tags].
        total: over all paths, [sentences].
    """

    forward: tf.Tensor
    backward: tf.Tensor
    total: tf.Tensor


def log_sums(emissions: tf.Tensor, packing: Packing, chain: Chain) -> LogSums:
    """Runs the forward and the backward recursion side by side in one loop; in backward order, the
    second is the first with transposed transitions.
    """
    tag_count = chain.start.shape[0]
    weights = tf.exp(chain.transitions)
    # Both directions in the blocks of one matrix: a product a step is faster than one for each.
    weights = tf.concat(
        [
            tf.pad(weights, [[0, 0], [0, tag_count]]),
            tf.pad(tf.transpose(weights), [[0, 0], [tag_count, 0]]),
        ],
        0,
    )

    def step(state, inputs, constants):
        logs = state[0] + inputs[0]  # (active, 2, tags)
        highest = tf.reduce_max(logs, 2, keepdims=True)
        sums = tf.reshape(tf.exp(logs - highest), [-1, 2 * tag_count]) @ constants[0]
        logs_to = tf.math.log(tf.maximum(tf.reshape(sums, [-1, 2, tag_count]), _TINY)) + highest
        return (logs_to,), (logs,)

    directions = packing.forward, packing.backward
    packed = [tf.gather(emissions, tf.math.invert_permutation(order)) for order in directions]
    first = tf.tile(tf.stack([chain.start, chain.end])[None], [packing.active[0], 1, 1])
    specs = [tf.TensorSpec([None, 2, tag_count])]
    (logs,) = packed_scan(step, packing.active, (first,), (tf.stack(packed, 1),), specs, (weights,))
    forward, backward = (tf.gather(logs[:, n], order) for n, order in enumerate(directions))
    backward -= emissions
    total = tf.reduce_logsumexp(tf.gather(forward, _last_tokens(packing)) + chain.end, 1)
    return LogSums(forward, backward, tf.where(packing.lengths > 0, total, 0.0))


def marginals(emissions: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Computes the probability of each tag at each token, [tokens, tags]."""
    return _tag_marginals(log_sums(emissions, packing, chain), packing)


def viterbi(emissions: tf.Tensor, packing: Packing, chain: Chain) -> tf.Tensor:
    """Finds the best path of each sentence (Viterbi 1967), tag ids int32 [tokens]."""
    tag_count = chain.start.shape[0]
    first = tf.tile(chain.start[None], [packing.active[0], 1])
    # The end of the sentence is one more tag to go to.
    transitions = tf.concat([tf.transpose(chain.transitions), chain.end[None]], 0)  # (to, from)

    def step(state, inputs, constants):
        scores = (state[0] + inputs[0])[:, None] + constants[0]  # (active, to, from)
        best = tf.reduce_max(scores, 2)[:, :tag_count]
        return (best,), (tf.argmax(scores, 2, tf.int32),)

    packed = tf.gather(emissions, tf.math.invert_permutation(packing.forward))
    specs = [tf.TensorSpec([None, tag_count + 1], tf.int32)]
    (best_from,) = packed_scan(step, packing.active, (first,), (packed,), specs, (transitions,))
    best_from = tf.gather(best_from, packing.forward)  # (tokens, to)
    ends, goes_on = best_from[:, tag_count:], best_from[:, :tag_count]
    return _backtrack(tf.where(packing.is_last[:, None], ends, goes_on), packing)


def _backtrack(best_from: tf.Tensor, packing: Packing) -> tf.Tensor:
    """Follows the best tags back from the end of each sentence, int32 [tokens].

    Each iteration doubles how far ahead a token's row looks, up to where the row is the same for
    all following tags (pointer jumping, as in the parallel prefix of Hillis and Steele 1986): the
    loop is logarithmic in the length of a sentence.

    Args:
        best_from: the best tag of each token by the tag of the next one, int32 [tokens, tags]; at
            the last token of a sentence the same for all.
        packing: of the batch.
    """

    def double(distance, best_from, longest):
        # Rows that come round from the end lie behind some sentence's last token, where they make
        # no difference.
        ahead = tf.roll(best_from, -distance, 0)
        return 2 * distance, tf.gather(best_from, ahead, axis=1, batch_dims=1)

    specs = tf.TensorSpec([], tf.int32), tf.TensorSpec(best_from.shape, tf.int32)
    _, best_from = functional_while(
        lambda distance, best_from, longest: distance < longest,
        double,
        (tf.constant(1), best_from),
        specs,
        (tf.reduce_max(packing.lengths),),
    )
    return best_from[:, 0]


def entity_scores(
    emissions: tf.Tensor, tags: tf.Tensor, packing: Packing, chain: Chain, labels: tuple[str, ...]
) -> tf.Tensor:
    """Computes the posterior probability of each entity of a path.

    It is the share of all paths that have exactly this entity: they reach its first tag, run
    through it, and do not continue it (the constrained forward-backward algorithm of Culotta and
    McCallum 2004).

    Args:
        emissions: float32 [tokens, tags].
        tags: a legal path, tag ids int32 [tokens].
        packing: of the batch.
        chain: the transition scores.
        labels: the tags by id.

    Returns:
        The probability at the first token of each entity, 0 at all other tokens, float32 [tokens].
    """
    sums = log_sums(emissions, packing, chain)
    is_begin = tf.constant([tag.startswith("B-") for tag in labels])
    is_inside = tf.constant([tag.startswith("I-") for tag in labels])
    # The tag that continues the entity of each tag, -1 where there is none.
    continuation = [labels.index("I-" + tag[2:]) if tag != "O" else -1 for tag in labels]
    is_last = packing.is_last
    goes_on = tf.gather(is_inside, tags)
    ends = is_last | ~tf.concat([goes_on[1:], [False]], 0)
    # In a legal path the k-th beginning belongs to the k-th end.
    first = tf.where(tf.gather(is_begin, tags))[:, 0]  # (entities)
    last = tf.where((tags > 0) & ends)[:, 0]
    last_tag = tf.gather(tags, last)

    # All ways to leave an entity after its last token, except the one that would continue it.
    after = tf.concat([(emissions + sums.backward)[1:], tf.zeros_like(emissions[:1])], 0)
    would_continue = tf.one_hot(
        tf.gather(tf.constant(continuation), last_tag), len(labels), True, False, dtype=tf.bool
    )
    transitions = tf.where(would_continue, ILLEGAL, tf.gather(chain.transitions, last_tag))
    leave = tf.where(
        tf.gather(is_last, last),
        tf.gather(chain.end, last_tag),
        tf.reduce_logsumexp(transitions + tf.gather(after, last), 1),
    )

    # The score of the path through an entity is the difference of two cumulative sums: in float64,
    # since float32 would lose digits in long ones.
    path = tf.cumsum(tf.cast(_path_steps(emissions, tags, packing, chain), tf.float64))
    through = tf.cast(tf.gather(path, last) - tf.gather(path, first), tf.float32)
    reach = tf.gather(tf.gather(sums.forward, first), tf.gather(tags, first), axis=1, batch_dims=1)
    total = tf.gather(sums.total, tf.gather(packing.sentence_ids, first))
    scores = tf.exp(tf.minimum(reach + through + leave - total, 0.0))
    return tf.scatter_nd(first[:, None], scores, tf.shape(tags, tf.int64))


def _tag_marginals(sums: LogSums, packing: Packing) -> tf.Tensor:
    """The probability of each tag at each token, [tokens, tags]."""
    total = tf.gather(sums.total, packing.sentence_ids)[:, None]
    return tf.exp(tf.minimum(sums.forward + sums.backward - total, 0.0))


def _expected_transitions(
    emissions: tf.Tensor, sums: LogSums, packing: Packing, upstream: tf.Tensor, chain: Chain
) -> tf.Tensor:
    """The expected number of each transition, weighted by `upstream` [tokens, 1]; [tags, tags]
    (from, to).
    """
    has_next = ~packing.is_last[:-1, None]
    after = (emissions + sums.backward)[1:]
    highest = tf.reduce_max(after, 1, keepdims=True)
    total = tf.gather(sums.total, packing.sentence_ids)[:-1, None]
    # The largest partial sums need not lie on one legal path: the bound keeps exp finite, and the
    # product is exact below it.
    before = tf.exp(tf.minimum(sums.forward[:-1] + highest - total, 80.0))
    before = tf.where(has_next, before * upstream[:-1], 0.0)
    return tf.exp(chain.transitions) * tf.matmul(before, tf.exp(after - highest), transpose_a=True)
