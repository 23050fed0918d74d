"""What a client does when a request fails: retries with back-off, and smaller batches.

The decisions are generators, so that one implementation serves the blocking and the asynchronous
client, and tests need no threads, clocks or sockets. A generator yields a `Send` and receives the
result or the error, or yields a `Pause`. `run` and `run_async` carry it out.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, TypeVar

from . import errors
from .protocol import Entities, Exchange

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds
# An overloaded server answers at once and is free again soon.
_LONGEST_PAUSE_OVERLOADED = 1.0  # seconds
# After this many timeouts in a row a server is taken to hang, rather than its texts to be long.
_MAX_TIMEOUTS_IN_A_ROW = 16

Results = list[Entities | errors.ServerError]


@dataclass(frozen=True)
class Send:
    """Send a request, and wait for its response this many seconds."""

    exchange: Exchange
    seconds: float


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


Plan = Generator[Send | Pause, Any, T]


@dataclass(frozen=True)
class RetryPolicy:
    """How long a client tries."""

    timeout: float  # seconds for one request with all its retries
    # How often an unavailable server is asked again. An overloaded server is asked again until the
    # timeout, unless this is 0.
    retries: int
    clock: Callable[[], float] = time.monotonic  # the time in seconds
    # A random number from 0 to 1, which spreads the retries of many clients.
    random: Callable[[], float] = random.random


@dataclass
class TimeoutCounter:
    """Timeouts in a row, over all requests that are in flight."""

    in_a_row: int = 0


def request(exchange: Exchange[T], policy: RetryPolicy) -> Plan[T]:
    """Sends one request, and again while the server is unavailable, after pauses that double."""
    deadline = policy.clock() + policy.timeout
    for attempt in count():
        try:
            return (yield Send(exchange, max(deadline - policy.clock(), 0.001)))
        except errors.Unavailable as error:
            overloaded = isinstance(error, errors.Overloaded)
            longest = _LONGEST_PAUSE_OVERLOADED if overloaded else _LONGEST_PAUSE
            pause = min(_FIRST_PAUSE * 2.0 ** min(attempt, 30), longest)
            pause *= (1 + policy.random()) / 2
            is_last = attempt >= policy.retries and not (overloaded and policy.retries)
            if is_last or policy.clock() + pause >= deadline:
                raise
        yield Pause(pause)
    raise AssertionError


def request_batch(
    texts: Sequence[str],
    exchange_for: Callable[[Sequence[str]], Exchange[list[Entities]]],
    policy: RetryPolicy,
    timeouts: TimeoutCounter,
) -> Plan[Results]:
    """Requests the entities of a batch, and halves a batch that fails for one of its texts.

    Args:
      texts: the texts of the batch.
      exchange_for: makes the request for some of the texts.
      policy: how long to try.
      timeouts: the timeouts in a row, shared by all batches.

    Returns:
      For each text its entities, or the error that the server returns for that text alone.

    Raises:
      ServerError: it does not depend on the texts. The server is gone or overloaded, it has no such
        model, its responses have another form, or it no longer answers at all.
    """
    try:
        results = yield from request(exchange_for(texts), policy)
    except (errors.Unavailable, errors.NotFound, errors.NotAllowed, errors.BadAnswer):
        raise
    except errors.ServerError as error:
        is_timeout = isinstance(error, errors.DeadlineExceeded)
        timeouts.in_a_row = timeouts.in_a_row + 1 if is_timeout else 0
        if timeouts.in_a_row >= _MAX_TIMEOUTS_IN_A_ROW:
            raise
        if len(texts) == 1:
            return [error]
        half = len(texts) // 2
        first = yield from request_batch(texts[:half], exchange_for, policy, timeouts)
        return first + (yield from request_batch(texts[half:], exchange_for, policy, timeouts))
    timeouts.in_a_row = 0
    return list(results)


def run(
    plan: Plan[T],
    send: Callable[[Exchange, float], object],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Carries out a plan in this thread and returns its result."""
    resume = partial(plan.send, None)
    try:
        while True:
            step = resume()
            try:
                if isinstance(step, Send):
                    result = send(step.exchange, step.seconds)
                else:
                    result = sleep(step.seconds)
                resume = partial(plan.send, result)
            except errors.ServerError as error:
                resume = partial(plan.throw, error)
    except StopIteration as end:
        return end.value


async def run_async(plan: Plan[T], send: Callable[[Exchange, float], Awaitable]) -> T:
    """Carries out a plan in this task and returns its result."""
    resume = partial(plan.send, None)
    try:
        while True:
            step = resume()
            try:
                if isinstance(step, Send):
                    result = await send(step.exchange, step.seconds)
                else:
                    result = await asyncio.sleep(step.seconds)
                resume = partial(plan.send, result)
            except errors.ServerError as error:
                resume = partial(plan.throw, error)
    except StopIteration as end:
        return end.value
