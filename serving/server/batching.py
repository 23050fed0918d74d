"""Micro-batching: the model processes rows of concurrent requests to one signature together.

A request that finds the server idle runs at once. Requests that arrive during a run form the next batch.
Everything but the run itself happens on the event loop, so there are no locks. A small request of a
single client runs on the event loop, too, because waking a thread takes longer. Requests that arrive
meanwhile are not seen, so every eighth run uses a thread all the same.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from serving.server.signature import Signature
from serving.server.status import Code, RequestError, invalid_argument

Tensors = Mapping[str, np.ndarray]
_RUNS_ON_LOOP = 7  # consecutive runs on the event loop
_PATIENCE = 5  # a batch may gather this many times as long while another batch runs


@dataclass(frozen=True)
class Limits:
    """Limits of batches."""

    rows: int = 64  # the most rows of a batch
    at_once: int = 1  # the most batches that run at the same time
    queued: int = 1000  # the most requests that wait
    # Seconds that a batch waits for the other clients' requests while no batch runs.
    gather: float = 0.01
    brief_bytes: int = 2000  # the most bytes of inputs that may run on the event loop
    brief_seconds: float = 0.05  # the longest run that may run on the event loop
    # Whether a request of more rows is refused, rather than run in pieces.
    refuse_larger: bool = False


@dataclass(frozen=True)
class Job:
    """A request to a signature of a loaded version."""

    # Identity of the version and signature; requests with the same key may share a batch.
    key: Hashable
    signature: Signature  # the signature
    # Computes the outputs for inputs, within a number of seconds; blocks.
    run: Callable[[Tensors, float], Tensors]
    inputs: Tensors  # arrays by alias
    deadline: float  # by `time.monotonic`; after it the request is not started


@dataclass(eq=False)
class _Waiting:
    """A request that waits: its number of rows, the caller's future, and what to call at its end."""

    job: Job
    rows: int
    answer: asyncio.Future
    done: Callable[[], None]
    since: float = field(default_factory=time.monotonic)

    def expire(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(_deadline_exceeded())

    def finish(self, outcome: Tensors | BaseException) -> None:
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
      observe: gets, for each batch, its number of rows and the seconds that each request waited.
    """

    def __init__(
        self,
        pool: Executor,
        limits: Limits = Limits(),
        observe: Callable[[int, Sequence[float]], None] = lambda rows, waited: None,
    ):
        self._pool, self._limits, self._observe = pool, limits, observe
        self._queues: dict[Hashable, deque[_Waiting]] = {}
        self._queued = self._queued_rows = self._running = 0
        self._in_flight = 0  # requests, queued or in a batch that runs
        self._usual = 1.0  # recent number of requests in flight at once
        self._loop_runs_left = 0  # runs that may be on the event loop, before one uses a thread
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, job: Job, done: Callable[[], None] = lambda: None) -> Tensors:
        """The model's outputs for a request.

        Args:
          job: the request.
          done: is called when the model has finished with it, perhaps after the client has gone.

        Raises:
          RequestError: the model's own, UNAVAILABLE for a full queue, DEADLINE_EXCEEDED.
        """
        rows = _rows(job)
        try:
            self._refuse_excess(rows)
        except RequestError:
            done()
            raise
        loop = asyncio.get_running_loop()
        waiting = _Waiting(job, rows or 1, loop.create_future(), done)
        if rows is None:
            key: Hashable = object()
        else:
            key = (
                job.key,
                tuple((name, job.inputs[name].shape[1:]) for name in sorted(job.inputs)),
            )
        self._queues.setdefault(key, deque()).append(waiting)
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

    def _refuse_excess(self, rows: int | None) -> None:
        if self._queued >= self._limits.queued:
            raise RequestError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full",
            )
        if self._limits.refuse_larger and (rows or 0) > self._limits.rows:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {self._limits.rows}"
            )

    def _start(self) -> None:
        """Runs the waiting requests, unless it is better to wait a moment for more.

        Clients that send one request after the other return right after their answer. Running the
        first of them alone would make all others wait, so a batch waits for them. With few clients
        it waits for all of them, because a small batch takes nearly as long as a large one. With
        many clients there is one group more than batches that run at the same time, and it is
        answered meanwhile.
        """
        few = self._are_clients_few()
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

    def _are_clients_few(self) -> bool:
        return self._usual < self._limits.rows / 2

    def _run_gathered(self) -> None:
        """Runs the requests that arrived in time. Few clients are not waited for again."""
        if self._are_clients_few():
            self._usual = self._queued
        self._run_next()

    def _run_next(self) -> None:
        self._stop_gathering()
        if self._running >= self._limits.at_once or not (batch := self._take()):
            return
        self._running += 1
        is_brief = len(batch) == 1 and _bytes(batch[0].job) <= self._limits.brief_bytes
        if self._loop_runs_left and is_brief:
            self._loop_runs_left -= 1
            self._finish(batch, _run(batch, self._limits.rows))
        else:
            self._loop_runs_left = 0
            self._pool.submit(self._run_in_thread, batch, asyncio.get_running_loop())

    def _stop_gathering(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _run_in_thread(self, batch: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        # Directly to the loop: through an awaited future the answers would pass the loop twice more.
        began = time.monotonic()
        try:
            answers = _run(batch, self._limits.rows)
        except BaseException as error:  # the clients have to get it
            answers = [error] * len(batch)
        seconds = time.monotonic() - began
        loop.call_soon_threadsafe(self._finish_thread_run, batch, answers, seconds)

    def _finish_thread_run(self, batch: list[_Waiting], answers: list, seconds: float) -> None:
        self._usual = max(self._in_flight, self._usual * 0.9)
        is_alone = len(batch) == 1 and self._usual < 1.5 and self._running == 1
        is_brief = seconds <= self._limits.brief_seconds
        self._loop_runs_left = _RUNS_ON_LOOP if is_alone and is_brief else 0
        self._finish(batch, answers)

    def _take(self) -> list[_Waiting]:
        """The next batch: of the key whose first request has waited longest; empty without requests."""
        now = time.monotonic()
        while self._queues:
            key = min(self._queues, key=lambda key: self._queues[key][0].since)
            queue, batch, rows = self._queues[key], [], 0
            while queue and (not batch or rows + queue[0].rows <= self._limits.rows):
                waiting = queue.popleft()
                self._queued -= 1
                self._queued_rows -= waiting.rows
                if waiting.answer.done() or waiting.job.deadline <= now:
                    self._in_flight -= 1
                    waiting.finish(_deadline_exceeded())
                    continue
                batch.append(waiting)
                rows += waiting.rows
            if not queue:
                del self._queues[key]
            if batch:
                self._observe(rows, [now - waiting.since for waiting in batch])
                return batch
        return []

    def _finish(self, batch: list[_Waiting], answers: list) -> None:
        self._running -= 1
        self._in_flight -= len(batch)
        if not self._running:
            self._stop_gathering()  # another batch may run now
        self._start()
        for waiting, answer in zip(batch, answers):
            waiting.finish(answer)


def _bytes(job: Job) -> int:
    return sum(
        sum(map(len, array.flat)) if array.dtype == object else array.nbytes
        for array in job.inputs.values()
    )


def _rows(job: Job) -> int | None:
    """The number of rows of a request that may share a batch, else None."""
    if not job.signature.batches:
        return None
    sizes = {array.shape[0] for array in job.inputs.values()}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else None


def _run(batch: Sequence[_Waiting], most_rows: int) -> list:
    """An answer, or the error, for each request of a batch."""
    job = batch[0].job
    if len(batch) == 1:
        return [_run_alone(job, most_rows)]
    inputs = {
        alias: np.concatenate([waiting.job.inputs[alias] for waiting in batch])
        for alias in job.inputs
    }
    try:
        outputs = job.run(inputs, _seconds_left(max(waiting.job.deadline for waiting in batch)))
        return _split(job.signature, outputs, [waiting.rows for waiting in batch])
    except Exception:  # only one of the requests may be at fault
        return [_run_alone(waiting.job, most_rows) for waiting in batch]


def _run_alone(job: Job, most_rows: int) -> Tensors | Exception:
    """The answer to one request, or the error. A request larger than a batch runs in pieces."""
    try:
        rows = _rows(job)
        if rows is None or rows <= most_rows:
            return job.run(job.inputs, _seconds_left(job.deadline))
        pieces = []
        for start in range(0, rows, most_rows):
            piece = {name: array[start : start + most_rows] for name, array in job.inputs.items()}
            pieces.append(job.run(piece, _seconds_left(job.deadline)))
        return {name: _join([piece[name] for piece in pieces]) for name in job.signature.outputs}
    except Exception as error:
        return error


def _deadline_exceeded() -> RequestError:
    return RequestError(Code.DEADLINE_EXCEEDED, "Deadline exceeded")


def _seconds_left(deadline: float) -> float:
    """The seconds until a deadline. Raises RequestError if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise _deadline_exceeded()
    return seconds


def _join(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenates arrays by rows; narrower arrays are padded with zeros or empty strings."""
    shape = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
    fill = b"" if arrays[0].dtype == object else 0
    padded = []
    for array in arrays:
        widths = [(0, 0), *((0, size - own) for size, own in zip(shape, array.shape[1:]))]
        padded.append(np.pad(array, widths, constant_values=fill))
    return np.concatenate(padded)


def _split(signature: Signature, outputs: Tensors, rows: Sequence[int]) -> list[Tensors]:
    """Each request's rows of a batch's outputs, as wide as without the other requests.

    Raises ValueError if the outputs are not rows.
    """
    if any(array.shape[:1] != (sum(rows),) for array in outputs.values()):
        raise ValueError("outputs without a row for each input row")
    ends = list(accumulate(rows))
    return [
        _trim(signature, {name: array[start:end] for name, array in outputs.items()})
        for start, end in zip([0, *ends], ends)
    ]


def _trim(signature: Signature, outputs: Tensors) -> Tensors:
    """The outputs without the columns that only other requests of the batch needed."""
    if not signature.counts_rows:
        return outputs
    width = int(outputs["count"].max(initial=0))
    return {
        name: array[:, :width]
        if array.ndim > 1 and signature.outputs[name].shape[1] is None
        else array
        for name, array in outputs.items()
    }
