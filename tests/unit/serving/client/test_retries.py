"""Retries and smaller batches, without a server or a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.client import errors
from serving.client import retries as retrying
from serving.client.protocol import Exchange


class Clock:
    """A clock that advances only in pauses and waits for responses."""

    def __init__(self):
        self.now, self.pauses, self.seconds = 100.0, [], []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def exchange(texts=()):
    return Exchange("call", b"", lambda _: None), tuple(texts)


def send_request(clock, answers, policy, took=0.0):
    """Runs one request against a list of server reactions: an error class or a response."""
    answers = iter(answers)

    def send(_, seconds):
        clock.seconds.append(seconds)
        clock.now += took
        now = next(answers)
        if isinstance(now, type):
            raise now("a server", "no")
        return now

    return retrying.run(retrying.request(exchange(), policy), send, clock.sleep)


def policy(clock, timeout=1000.0, retries=100, chance=1.0):
    return retrying.RetryPolicy(timeout, retries, lambda: clock.now, lambda: chance)


def test_pauses_double_up_to_a_limit():
    clock = Clock()
    assert send_request(clock, [errors.Unavailable] * 8 + ["done"], policy(clock)) == "done"
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


@given(st.floats(0, 1))
def test_jitter_shortens_a_pause_by_half_at_most(chance):
    clock = Clock()
    send_request(clock, [errors.Unavailable] * 3 + ["done"], policy(clock, chance=chance))
    assert clock.pauses == pytest.approx(
        [longest * (1 + chance) / 2 for longest in (0.1, 0.2, 0.4)]
    )


def test_each_attempt_gets_the_time_that_is_left():
    clock = Clock()
    send_request(
        clock,
        [errors.Unavailable, errors.Unavailable, "done"],
        policy(clock, timeout=10.0),
        took=2.0,
    )
    assert clock.seconds == pytest.approx([10, 10 - 2.1, 10 - 4.3])


def test_no_attempt_begins_after_the_deadline():
    clock = Clock()
    with pytest.raises(errors.Unavailable):
        send_request(clock, [errors.Unavailable] * 100, policy(clock, timeout=3.0), took=0.5)
    assert clock.now - 100 <= 3.0 and len(clock.seconds) == 4


def test_retries_are_counted():
    clock = Clock()
    with pytest.raises(errors.Unavailable):
        send_request(clock, [errors.Unavailable] * 100, policy(clock, retries=2))
    assert len(clock.seconds) == 3


@pytest.mark.parametrize(
    "error",
    [
        errors.BadRequest,
        errors.DeadlineExceeded,
        errors.NotFound,
        errors.ResourceExhausted,
        errors.ServerError,
    ],
)
def test_other_errors_are_not_retried(error):
    clock = Clock()
    with pytest.raises(error):
        send_request(clock, [error, "done"], policy(clock))
    assert clock.pauses == []


def test_an_overloaded_server_is_asked_until_the_timeout():
    clock = Clock()
    with pytest.raises(errors.Overloaded):
        send_request(clock, [errors.Overloaded] * 100, policy(clock, timeout=20.0, retries=1))
    assert max(clock.pauses) == 1 and 18 < clock.now - 100 <= 20


def test_an_overloaded_server_is_asked_once_without_retries():
    clock = Clock()
    with pytest.raises(errors.Overloaded):
        send_request(clock, [errors.Overloaded] * 100, policy(clock, retries=0))
    assert len(clock.seconds) == 1


def send_batch(texts, fails, timeouts=None):
    """Sends texts to a server that raises the error that `fails` returns for a batch; returns the results and the batches."""
    batches = []

    def send(one, _):
        batches.append(one[1])
        error = fails(one[1])
        if error:
            raise error("a server", "no")
        return [text.upper() for text in one[1]]

    clock = Clock()
    plan = retrying.request_batch(
        texts, exchange, policy(clock, retries=0), timeouts or retrying.TimeoutCounter()
    )
    try:
        return retrying.run(plan, send, clock.sleep), batches
    except errors.ServerError as error:
        return error, batches


OF_TEXTS = [errors.BadRequest, errors.ResourceExhausted, errors.ServerError]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from(OF_TEXTS))
def test_exactly_the_refused_texts_have_errors(spoilt, error):
    texts = ["bad" if bad else f"good {n}" for n, bad in enumerate(spoilt)]
    results, _ = send_batch(texts, lambda batch: error if "bad" in batch else None)
    assert [type(one) is error for one in results] == spoilt
    assert [one for one in results if isinstance(one, str)] == [
        text.upper() for text in texts if text != "bad"
    ]


def test_a_refused_text_costs_at_most_two_requests_for_each_halving():
    texts = ["good"] * 127 + ["bad"]
    _, batches = send_batch(texts, lambda batch: errors.BadRequest if "bad" in batch else None)
    assert len(batches) == 1 + 2 * 7


@pytest.mark.parametrize(
    "error",
    [errors.Unavailable, errors.Overloaded, errors.NotFound, errors.NotAllowed, errors.BadAnswer],
)
def test_an_error_that_no_smaller_batch_can_avoid_is_raised_at_once(error):
    results, batches = send_batch(["a", "b", "c"], lambda _: error)
    assert type(results) is error and batches == [("a", "b", "c")]


def test_a_batch_that_takes_too_long_is_halved():
    results, batches = send_batch(
        ["a"] * 8, lambda batch: errors.DeadlineExceeded if len(batch) > 2 else None
    )
    assert results == ["A"] * 8 and len(batches) == 7


def test_a_server_that_hangs_is_given_up_after_sixteen_timeouts():
    timeouts = retrying.TimeoutCounter()
    results, batches = send_batch(["a"] * 128, lambda _: errors.DeadlineExceeded, timeouts)
    assert isinstance(results, errors.DeadlineExceeded) and len(batches) == 16


def test_a_response_resets_the_count_of_timeouts():
    timeouts = retrying.TimeoutCounter()
    for _ in range(5):
        send_batch(["a"] * 4, lambda _: errors.DeadlineExceeded, timeouts)
        results, _ = send_batch(["a"], lambda _: None, timeouts)
        assert results == ["A"] and timeouts.in_a_row == 0
