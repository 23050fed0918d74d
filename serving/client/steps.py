"""What a client does about an answer that fails, as steps for a synchronous or an asynchronous driver.

A plan is a generator. It yields a `Send` and is sent the answer, or has the error thrown into it; or it yields a `Pause`.
It returns its result. So what is decided is written once, and without threads, clocks or sockets.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from components.export.entity import Entity
from serving.client import errors
from serving.client.exchange import Exchange

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds
_SILENT = 16

Answers = list["tuple[Entity, ...] | errors.ServerError"]


@dataclass(frozen=True)
class Send:
    """Send this, and wait for its answer so many seconds."""

    exchange: Exchange
    seconds: float


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Plan = Generator[Send | Pause, object, T]


@dataclass(frozen=True)
class Patience:
    """`timeout`: seconds for one answer with all its retries; `retries`: how often an unavailable server is asked again."""

    timeout: float
    retries: int
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class Silence:
    """Counts the requests in a row that got no answer in time, over all that are in flight."""

    def __init__(self):
        self.requests = 0


def answer(exchange: Exchange[T], patience: Patience) -> Plan[T]:
    """One answer. While the server is unavailable it is asked again, after pauses that double, with jitter."""
    deadline = patience.clock() + patience.timeout
    for attempt in count():
        try:
            return (yield Send(exchange, max(deadline - patience.clock(), 0.001)))  # type: ignore[return-value]
        except errors.Unavailable:
            pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE) * (1 + patience.chance()) / 2
            if attempt >= patience.retries or patience.clock() + pause >= deadline:
                raise
        yield Pause(pause)
    raise AssertionError


def answers(
    texts: Sequence[str],
    ask: Callable[[Sequence[str]], Exchange],
    patience: Patience,
    silence: Silence,
) -> Plan[Answers]:
    """For each text its entities, or the error that the server answers for it alone.

    A batch that fails for one of its texts is halved until that one is found. Errors that are the server's are raised:
    it is gone, it has no such model, its answers are of another form, or it no longer answers at all.
    """
    try:
        found = yield from answer(ask(texts), patience)
    except (errors.Unavailable, errors.NotFound, errors.NotAllowed, errors.BadAnswer):
        raise
    except errors.ServerError as error:
        silence.requests = silence.requests + 1 if isinstance(error, errors.DeadlineExceeded) else 0
        if silence.requests >= _SILENT:
            raise
        if len(texts) == 1:
            return [error]
        half = len(texts) // 2
        first = yield from answers(texts[:half], ask, patience, silence)
        return first + (yield from answers(texts[half:], ask, patience, silence))
    silence.requests = 0
    return list(found)


def drive(
    plan: Plan[T],
    send: Callable[[Exchange, float], object],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Carries out a plan in this thread."""
    try:
        step = next(plan)
        while True:
            try:
                result = (
                    send(step.exchange, step.seconds)
                    if isinstance(step, Send)
                    else sleep(step.seconds)
                )
            except errors.ServerError as error:
                step = plan.throw(error)
            else:
                step = plan.send(result)
    except StopIteration as end:
        return end.value


async def drive_async(plan: Plan[T], send: Callable[[Exchange, float], Awaitable]) -> T:
    """Carries out a plan in this task."""
    try:
        step = next(plan)
        while True:
            try:
                if isinstance(step, Send):
                    result = await send(step.exchange, step.seconds)
                else:
                    result = await asyncio.sleep(step.seconds)
            except errors.ServerError as error:
                step = plan.throw(error)
            else:
                step = plan.send(result)
    except StopIteration as end:
        return end.value
