"""Micro-batching: the model processes rows of concurrent requests to one signature together.

A request that finds the server idle runs at once. Requests that arrive during a run form the next batch.
Everything but the run itself happens on the event loop, so there are no locks. A small request of a
single client runs on the event loop, too, because waking a thread takes longer. Requests that arrive
meanwhile are not seen, so every eighth run uses a thread all the same.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Optional

import numpy as np

from serving.server.signature import Signature
from serving.server.status import Code, RequestError

Tensors = Mapping[str, np.ndarray]
_RUNS_ON_LOOP = 7  # consecutive runs on the event loop
_PATIENCE = 5  # a batch may gather this many times as long while another batch runs


@dataclass(frozen=True)
class Limits:
    """Limits of batches.

    rows: the most rows of a batch.
    at_once: the most batches that run at the same time.
    queued: the most requests that wait.
    gather: seconds that a batch waits for the other clients' requests while no batch runs.
    brief_bytes: the most bytes of inputs that may run on the event loop.
    brief_seconds: the longest run that may run on the event loop.
    refuse_larger: whether a request of more rows is refused, rather than run in pieces.
    """

    rows: int = 64
    at_once: int = 1
    queued: int = 1000
    gather: float = 0.01
    brief_bytes: int = 2000
    brief_seconds: float = 0.05
    refuse_larger: bool = False


@dataclass(frozen=True)
class Job:
    """A request to a signature of a loaded version.

    key: identity of the version and signature; requests with the same key may share a batch.
    signature: the signature.
    run: computes the outputs for inputs, within a number of seconds; blocks.
    inputs: arrays by alias.
    deadline: by `time.monotonic`; after it the request is not started.
    """

    key: Hashable
    signature: Signature
    run: Callable[[Tensors, float], Tensors]
    inputs: Tensors
    deadline: float


@dataclass(eq=False)
class _Waiting:
    job: Job
    rows: int
    answer: asyncio.Future
    done: Callable[[], None]
    since: float = field(default_factory=time.monotonic)

    def expire(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(RequestError(Code.DEADLINE_EXCEEDED, "Deadline exceeded"))

    def finish(self, outcome) -> None:
        """Answers the caller, who may have gone, with outputs or an error."""
        self.done()
        if self.answer.done():
            return
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Batcher:
    """Runs requests in batches.

    Args:
      pool: the threads that run the model.
      limits: limits of batches.
      observe: gets, for each batch, its number of requests, of rows, and the seconds each request waited.
    """

    def __init__(
        self,
        pool: Executor,
        limits: Limits = Limits(),
        observe: Callable[[int, int, Sequence[float]], None] = lambda requests, rows, waited: None,
    ):
        self._pool, self._limits, self._observe = pool, limits, observe
        self._queues: dict[Hashable, deque[_Waiting]] = {}
        self._queued = self._queued_rows = self._running = 0
        self._in_flight = 0  # requests, queued or in a batch that runs
        self._usual = 1.0  # of them at once, of late
        self._here = 0  # runs that may be on the event loop, before one must be apart
        self._timer: Optional[asyncio.TimerHandle] = None

    async def run(self, job: Job, done: Callable[[], None] = lambda: None) -> Tensors:
        """The model's outputs for a request.

        Args:
          job: the request.
          done: is called when the model has finished with it, perhaps after the client has gone.

        Raises:
          RequestError: the model's own, UNAVAILABLE for a full queue, DEADLINE_EXCEEDED.
        """
        if self._queued >= self._limits.queued:
            done()
            raise RequestError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full",
            )
        rows = _rows(job)
        if self._limits.refuse_larger and (rows or 0) > self._limits.rows:
            done()
            raise RequestError(
                Code.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size {self._limits.rows}",
            )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(job, rows or 1, loop.create_future(), done)
        shared: Hashable = object()
        if rows is not None:
            shared = (
                job.key,
                tuple((alias, job.inputs[alias].shape[1:]) for alias in sorted(job.inputs)),
            )
        self._queues.setdefault(shared, deque()).append(waiting)
        self._queued += 1
        self._in_flight += 1
        self._queued_rows += waiting.rows
        self._start()
        # A run goes on after a client has gone: other requests may share it.
        timer = loop.call_later(max(job.deadline - time.monotonic(), 0), waiting.expire)
        try:
            return await waiting.answer
        finally:
            timer.cancel()

    def _start(self) -> None:
        """Runs the waiting requests, unless it is better to wait a moment for more.

        Clients that send one request after the other return right after their answer. Running the first
        of them alone would make all others wait, so a batch waits for them. With few clients it waits
        for all of them, because a small batch takes nearly as long as a large one. With many clients
        there is one group more than batches that run at the same time, and it is answered meanwhile.
        """
        few = self._is_few()
        groups = 1 if few else self._limits.at_once + 1
        while self._running < self._limits.at_once and self._queued:
            if few and self._running:
                return
            if self._queued < self._usual / groups and self._queued_rows < self._limits.rows:
                seconds = self._limits.gather * (_PATIENCE if self._running else 1)
                self._timer = self._timer or asyncio.get_running_loop().call_later(
                    seconds, self._run_gathered
                )
                return
            self._run_next()

    def _is_few(self) -> bool:
        return self._usual < self._limits.rows / 2

    def _run_gathered(self) -> None:
        """Runs the requests that arrived in time. Few clients are not waited for again."""
        if self._is_few():
            self._usual = self._queued
        self._run_next()

    def _run_next(self) -> None:
        self._stop_gathering()
        if self._running >= self._limits.at_once or not (batch := self._take()):
            return
        self._running += 1
        if self._here and len(batch) == 1 and _bytes(batch[0].job) <= self._limits.brief_bytes:
            self._here -= 1
            self._finish(batch, _run(batch, self._limits.rows))
        else:
            self._here = 0
            self._pool.submit(self._run_apart, batch, asyncio.get_running_loop())

    def _stop_gathering(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _run_apart(self, batch: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        # Directly to the loop: through an awaited future the answers would pass the loop twice more.
        began = time.monotonic()
        try:
            answers = _run(batch, self._limits.rows)
        except BaseException as error:  # the clients have to get it
            answers = [error] * len(batch)
        loop.call_soon_threadsafe(self._finish_apart, batch, answers, time.monotonic() - began)

    def _finish_apart(self, batch: list[_Waiting], answers: list, seconds: float) -> None:
        self._usual = max(self._in_flight, self._usual * 0.9)
        alone = len(batch) == 1 and self._usual < 1.5 and self._running == 1
        self._here = _RUNS_ON_LOOP if alone and seconds <= self._limits.brief_seconds else 0
        self._finish(batch, answers)

    def _take(self) -> list[_Waiting]:
        """The next batch: of the key whose first request has waited longest; empty without requests."""
        now = time.monotonic()
        while self._queues:
            key = min(self._queues, key=lambda one: self._queues[one][0].since)
            queue, batch, rows = self._queues[key], [], 0
            while queue and (not batch or rows + queue[0].rows <= self._limits.rows):
                one = queue.popleft()
                self._queued -= 1
                self._queued_rows -= one.rows
                if one.answer.done() or one.job.deadline <= now:
                    self._in_flight -= 1
                    one.finish(RequestError(Code.DEADLINE_EXCEEDED, "Deadline exceeded"))
                    continue
                batch.append(one)
                rows += one.rows
            if not queue:
                del self._queues[key]
            if batch:
                self._observe(len(batch), rows, [now - one.since for one in batch])
                return batch
        return []

    def _finish(self, batch: list[_Waiting], answers: list) -> None:
        self._running -= 1
        self._in_flight -= len(batch)
        if not self._running:
            self._stop_gathering()  # another batch may run now
        self._start()
        for one, answer in zip(batch, answers):
            one.finish(answer)


def _bytes(job: Job) -> int:
    return sum(
        sum(map(len, array.flat)) if array.dtype == object else array.nbytes
        for array in job.inputs.values()
    )


def _rows(job: Job) -> Optional[int]:
    """The number of rows of a request that may share a batch, else None."""
    if not job.signature.batches:
        return None
    sizes = {array.shape[0] for array in job.inputs.values()}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else None


def _run(batch: Sequence[_Waiting], most_rows: int) -> list:
    """An answer, or the error, for each request of a batch."""
    job = batch[0].job
    if len(batch) == 1:
        return [_attempt(job, most_rows)]
    rows = [one.rows for one in batch]
    together = {
        alias: np.concatenate([one.job.inputs[alias] for one in batch]) for alias in job.inputs
    }
    try:
        outputs = job.run(together, _left(max(one.job.deadline for one in batch)))
        return list(_parts(job.signature, outputs, rows))
    except Exception:  # only one of the requests may be at fault
        return [_attempt(one.job, most_rows) for one in batch]


def _attempt(job: Job, most_rows: int):
    """The answer to one request, or the error. A request larger than a batch runs in pieces."""
    try:
        rows = _rows(job)
        if rows is None or rows <= most_rows:
            return job.run(job.inputs, _left(job.deadline))
        pieces = [
            job.run(
                {alias: array[start : start + most_rows] for alias, array in job.inputs.items()},
                _left(job.deadline),
            )
            for start in range(0, rows, most_rows)
        ]
        return {
            alias: _joined([piece[alias] for piece in pieces]) for alias in job.signature.outputs
        }
    except Exception as error:
        return error


def _left(deadline: float) -> float:
    """The seconds until a deadline. Raises RequestError if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise RequestError(Code.DEADLINE_EXCEEDED, "Deadline exceeded")
    return left


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenates arrays by rows; narrower arrays are padded with zeros or empty strings."""
    shape = (
        sum(len(array) for array in arrays),
        *np.max([array.shape[1:] for array in arrays], axis=0),
    )
    fill = b"" if arrays[0].dtype == object else 0
    whole, start = np.full([int(size) for size in shape], fill, arrays[0].dtype), 0
    for array in arrays:
        whole[(slice(start, start + len(array)), *(slice(size) for size in array.shape[1:]))] = (
            array
        )
        start += len(array)
    return whole


def _parts(signature: Signature, outputs: Tensors, rows: Sequence[int]) -> Iterator[Tensors]:
    """Each request's rows of a batch's outputs, as wide as without the other requests.

    Raises ValueError if the outputs are not rows.
    """
    if any(array.shape[:1] != (sum(rows),) for array in outputs.values()):
        raise ValueError("outputs without a row for each input row")
    ends = list(accumulate(rows))
    for start, end in zip([0, *ends], ends):
        yield _part(signature, outputs, start, end)


def _part(signature: Signature, outputs: Tensors, start: int, end: int) -> Tensors:
    """The outputs of some rows, as wide as without the other rows."""
    part = {alias: array[start:end] for alias, array in outputs.items()}
    if not signature.counts_rows:
        return part
    width = int(part["count"].max(initial=0))
    return {
        alias: array[:, :width]
        if array.ndim > 1 and signature.outputs[alias].shape[1] is None
        else array
        for alias, array in part.items()
    }
