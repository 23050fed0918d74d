"""What a client decides when answers fail, without a server or a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.client import errors, steps
from serving.client.exchange import Exchange


class Clock:
    """Time that passes only in pauses and while an answer is waited for."""

    def __init__(self):
        self.now, self.pauses, self.seconds = 100.0, [], []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def exchange(texts=()):
    return Exchange("call", b"", lambda _: None), tuple(texts)


def outcome(clock, answers, patience, took=0.0):
    """Drives one answer through a list of what the server does: an error class, or what it answers."""
    answers = iter(answers)

    def send(_, seconds):
        clock.seconds.append(seconds)
        clock.now += took
        now = next(answers)
        if isinstance(now, type):
            raise now("a server", "no")
        return now

    return steps.drive(steps.answer(exchange(), patience), send, clock.sleep)


def patience(clock, timeout=1000.0, retries=100, chance=1.0):
    return steps.Patience(timeout, retries, lambda: clock.now, lambda: chance)


def test_pauses_double_up_to_a_limit():
    clock = Clock()
    assert outcome(clock, [errors.Unavailable] * 8 + ["done"], patience(clock)) == "done"
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


@given(st.floats(0, 1))
def test_chance_shortens_a_pause_by_half_at_most(chance):
    clock = Clock()
    outcome(clock, [errors.Unavailable] * 3 + ["done"], patience(clock, chance=chance))
    assert clock.pauses == pytest.approx(
        [longest * (1 + chance) / 2 for longest in (0.1, 0.2, 0.4)]
    )


def test_each_attempt_has_what_is_left_of_the_time():
    clock = Clock()
    outcome(
        clock,
        [errors.Unavailable, errors.Unavailable, "done"],
        patience(clock, timeout=10.0),
        took=2.0,
    )
    assert clock.seconds == pytest.approx([10, 10 - 2.1, 10 - 4.3])


def test_no_attempt_begins_after_the_deadline():
    clock = Clock()
    with pytest.raises(errors.Unavailable):
        outcome(clock, [errors.Unavailable] * 100, patience(clock, timeout=3.0), took=0.5)
    assert clock.now - 100 <= 3.0 and len(clock.seconds) == 4


def test_retries_are_counted():
    clock = Clock()
    with pytest.raises(errors.Unavailable):
        outcome(clock, [errors.Unavailable] * 100, patience(clock, retries=2))
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
        outcome(clock, [error, "done"], patience(clock))
    assert clock.pauses == []


def attempt(texts, fails, silence=None):
    """The answers to texts from a server that raises what `fails` gives for a batch; and the batches it was sent."""
    batches = []

    def send(one, _):
        batches.append(one[1])
        error = fails(one[1])
        if error:
            raise error("a server", "no")
        return [text.upper() for text in one[1]]

    clock = Clock()
    plan = steps.answers(texts, exchange, patience(clock, retries=0), silence or steps.Silence())
    try:
        return steps.drive(plan, send, clock.sleep), batches
    except errors.ServerError as error:
        return error, batches


OF_TEXTS = [errors.BadRequest, errors.ResourceExhausted, errors.ServerError]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from(OF_TEXTS))
def test_exactly_the_texts_that_are_refused_have_errors(spoilt, error):
    texts = ["bad" if bad else f"good {n}" for n, bad in enumerate(spoilt)]
    found, _ = attempt(texts, lambda batch: error if "bad" in batch else None)
    assert [type(one) is error for one in found] == spoilt
    assert [one for one in found if isinstance(one, str)] == [
        text.upper() for text in texts if text != "bad"
    ]


def test_one_spoilt_text_costs_a_request_or_two_for_each_halving():
    texts = ["good"] * 127 + ["bad"]
    _, batches = attempt(texts, lambda batch: errors.BadRequest if "bad" in batch else None)
    assert len(batches) == 1 + 2 * 7


@pytest.mark.parametrize(
    "error", [errors.Unavailable, errors.NotFound, errors.NotAllowed, errors.BadAnswer]
)
def test_an_error_of_the_server_is_raised_at_once(error):
    found, batches = attempt(["a", "b", "c"], lambda _: error)
    assert type(found) is error and batches == [("a", "b", "c")]


def test_a_batch_that_takes_too_long_is_halved():
    found, batches = attempt(
        ["a"] * 8, lambda batch: errors.DeadlineExceeded if len(batch) > 2 else None
    )
    assert found == ["A"] * 8 and len(batches) == 7


def test_a_server_that_no_longer_answers_at_all_is_given_up():
    silence = steps.Silence()
    found, batches = attempt(["a"] * 128, lambda _: errors.DeadlineExceeded, silence)
    assert isinstance(found, errors.DeadlineExceeded) and len(batches) == 16


def test_an_answer_in_between_ends_the_silence():
    silence = steps.Silence()
    for _ in range(5):
        attempt(["a"] * 4, lambda _: errors.DeadlineExceeded, silence)
        found, _ = attempt(["a"], lambda _: None, silence)
        assert found == ["A"] and silence.requests == 0
