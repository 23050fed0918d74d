"""Micro-batching of concurrent requests with a model that the test blocks and releases."""

import asyncio
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from serving.server.batching import Batcher, Job, Limits
from serving.server.signature import Signature, TensorSpec
from serving.server.status import Code, RequestError

SIGNATURE = Signature(
    {"text": TensorSpec("string", (None,))},
    {"count": TensorSpec("int64", (None,)), "type": TensorSpec("string", (None, None))},
)


class Model:
    """Returns the words of each text, padded to the batch's longest text; a batch waits while `gate` is cleared."""

    def __init__(self):
        self.gate, self.batches, self.began = threading.Event(), [], threading.Semaphore(0)
        self.threads = []
        self.gate.set()

    def __call__(self, inputs, seconds):
        texts = [text.decode() for text in inputs["text"]]
        self.batches.append(texts)
        self.threads.append(threading.current_thread())
        self.began.release()
        assert self.gate.wait(30)
        if "bad" in texts:
            raise RequestError(Code.INVALID_ARGUMENT, "bad is bad")
        words = [text.split() for text in texts]
        width = max(map(len, words))
        rows = [[word.encode() for word in row] + [b""] * (width - len(row)) for row in words]
        return {
            "count": np.array([len(row) for row in words]),
            "type": np.array(rows, object).reshape(len(rows), width),
        }

    async def has_begun(self):
        await asyncio.get_running_loop().run_in_executor(None, self.began.acquire)


@pytest.fixture
def model():
    model = Model()
    yield model
    model.gate.set()


def job(model, *texts, key="key", signature=SIGNATURE, seconds=30.0):
    inputs = {"text": np.array([text.encode() for text in texts], object)}
    return Job(key, signature, model, inputs, time.monotonic() + seconds)


AT_ONCE = Limits(gather=0.0)


def run(story, limits=AT_ONCE, observe=lambda *_: None):
    with ThreadPoolExecutor(4) as pool:

        async def whole():
            return await story(Batcher(pool, limits, observe))

        return asyncio.run(whole())


def words(outputs):
    return [[word.decode() for word in row] for row in outputs["type"]]


async def held_up(batcher, model, *jobs):
    """The responses or errors of jobs that arrive while the model runs another batch."""
    model.gate.clear()
    first = asyncio.ensure_future(batcher.run(job(model, "first")))
    await model.has_begun()
    tasks = [asyncio.ensure_future(batcher.run(one)) for one in jobs]
    await asyncio.sleep(0)
    model.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    await first
    return answers


def test_a_request_to_an_idle_server_runs_alone(model):
    async def story(batcher):
        return [words(await batcher.run(job(model, text))) for text in ("a b", "c")]

    assert run(story) == [[["a", "b"]], [["c"]]] and model.batches == [["a b"], ["c"]]


def test_requests_that_arrive_during_a_batch_form_the_next_batch(model):
    async def story(batcher):
        return await held_up(batcher, model, job(model, "a"), job(model, "b", "c"), job(model, "d"))

    assert [words(one) for one in run(story)] == [[["a"]], [["b"], ["c"]], [["d"]]]
    assert model.batches == [["first"], ["a", "b", "c", "d"]]


def test_a_response_is_padded_to_its_own_width(model):
    async def story(batcher):
        return await held_up(
            batcher, model, job(model, "a"), job(model, "b c d e", ""), job(model, "")
        )

    assert [words(one) for one in run(story)] == [[["a"]], [["b", "c", "d", "e"], [""] * 4], [[]]]
    assert len(model.batches) == 2


def test_a_batch_has_at_most_the_configured_rows(model):
    async def story(batcher):
        return await held_up(batcher, model, *(job(model, *"ab") for _ in range(4)))

    run(story, Limits(rows=5, gather=0.0))
    assert [len(batch) for batch in model.batches] == [1, 4, 4]


def test_a_request_larger_than_a_batch_is_split_and_joined_again(model):
    async def story(batcher):
        return await batcher.run(job(model, "a", "b b b", "c c", "d", "e e"))

    answer = run(story, Limits(rows=2))
    assert [len(batch) for batch in model.batches] == [2, 2, 1]
    assert words(answer) == [
        ["a", "", ""],
        ["b"] * 3,
        ["c", "c", ""],
        ["d", "", ""],
        ["e", "e", ""],
    ]
    assert answer["count"].tolist() == [1, 3, 2, 1, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"key": "another"},
        {"signature": Signature(SIGNATURE.inputs, {"type": SIGNATURE.outputs["type"]})},
    ],
    ids=["of another version", "that cannot be taken apart again"],
)
def test_incompatible_requests_are_not_batched_together(model, other):
    async def story(batcher):
        return await held_up(
            batcher, model, job(model, "a", **other), job(model, "b"), job(model, "c", **other)
        )

    assert [words(one) for one in run(story)] == [[["a"]], [["b"]], [["c"]]]
    assert not any("b" in batch and len(batch) > 1 for batch in model.batches)


def test_a_failing_request_does_not_affect_its_batch(model):
    async def story(batcher):
        return await held_up(batcher, model, job(model, "a"), job(model, "bad"), job(model, "c"))

    first, bad, last = run(story)
    assert words(first) == [["a"]] and words(last) == [["c"]]
    assert isinstance(bad, RequestError) and bad.message == "bad is bad"


def test_a_full_queue_refuses_requests(model):
    async def story(batcher):
        return await held_up(batcher, model, *(job(model, text) for text in "abc"))

    *answered, refused = run(story, Limits(queued=2, gather=0.0))
    assert [words(one) for one in answered] == [[["a"]], [["b"]]]
    assert refused.code is Code.UNAVAILABLE and "queue" in refused.message


def test_a_request_after_its_deadline_is_not_run(model):
    async def story(batcher):
        return await held_up(batcher, model, job(model, "a"), job(model, "late", seconds=-1))

    answered, late = run(story)
    assert words(answered) == [["a"]] and late.code is Code.DEADLINE_EXCEEDED
    assert not any("late" in batch for batch in model.batches)


def test_a_request_ends_at_its_deadline_and_keeps_its_version_until_the_batch_ends(
    model,
):
    released = []

    async def story(batcher):
        model.gate.clear()
        with pytest.raises(RequestError) as raised:
            await batcher.run(
                job(model, "a", seconds=0.05), lambda: released.append(len(model.batches))
            )
        assert raised.value.code is Code.DEADLINE_EXCEEDED and not released
        model.gate.set()
        await batcher.run(job(model, "b"))

    run(story)
    assert released == [1]


def test_a_cancelled_request_does_not_affect_the_others(model):
    released = []

    async def story(batcher):
        model.gate.clear()
        first = asyncio.ensure_future(batcher.run(job(model, "a"), lambda: released.append("a")))
        await model.has_begun()
        gone = asyncio.ensure_future(
            batcher.run(job(model, "gone"), lambda: released.append("gone"))
        )
        stays = asyncio.ensure_future(batcher.run(job(model, "b")))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        return await stays

    assert words(run(story)) == [["b"]]
    assert sorted(released) == ["a", "gone"] and not any("gone" in batch for batch in model.batches)


async def callers(batcher, model, names, turns):
    """Runs callers that each send the next request as soon as they have a response."""

    async def caller(name):
        for turn in range(turns):
            await batcher.run(job(model, f"{name}{turn}"))

    await asyncio.gather(*map(caller, names))


def test_several_sequential_callers_share_batches(model):
    async def story(batcher):
        await callers(batcher, model, "abcdefgh", 8)

    run(story, Limits(gather=5.0))
    assert len(model.batches) <= 8 * 8 / 3


def test_two_sequential_callers_share_each_batch(model):
    async def story(batcher):
        await callers(batcher, model, "ab", 8)

    run(story, Limits(gather=0.5))
    assert [len(batch) for batch in model.batches] == [1, *[2] * 7, 1]


def test_two_batches_of_many_callers_run_concurrently(model):
    running, most = [0], [0]

    def slow(inputs, seconds):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.02)
        running[0] -= 1
        return model(inputs, seconds)

    async def story(batcher):
        async def caller(name):
            for turn in range(20):
                await batcher.run(replace(job(model, f"{name}-{turn}"), run=slow))

        await asyncio.gather(*map(caller, range(48)))

    run(story, Limits(at_once=2, gather=0.5))
    first_turns = 6
    sizes = [len(batch) for batch in model.batches][first_turns:-first_turns]
    assert most[0] == 2
    assert 14 <= statistics.mean(sizes) <= 24 and min(sizes) >= 8


def test_a_caller_without_a_next_request_is_waited_for_once(model):
    async def story(batcher):
        await held_up(batcher, model, job(model, "a"), job(model, "b"), job(model, "c"))
        took = []
        for text in "de":
            began = time.monotonic()
            await batcher.run(job(model, text))
            took.append(time.monotonic() - began)
        return took

    first, second = run(story, Limits(gather=0.5))
    assert first >= 0.5 > second


def here(model):
    """For each batch, whether it ran on the event loop."""
    return [thread is threading.current_thread() for thread in model.threads]


async def one_after_the_other(batcher, model, texts):
    for text in texts:
        await batcher.run(job(model, text))


def test_seven_of_eight_small_requests_of_a_single_caller_run_without_a_thread(
    model,
):
    run(lambda batcher: one_after_the_other(batcher, model, "abcdefghijklmnopqrst"))
    assert here(model) == [False, *[True] * 7, False, *[True] * 7, False, *[True] * 3]


def test_a_long_text_runs_in_a_thread(model):
    run(
        lambda batcher: one_after_the_other(batcher, model, ["a", "b", "c" * 21, "d", "e"]),
        Limits(brief_bytes=20),
    )
    assert here(model) == [False, True, False, True, True]


def test_a_slow_model_runs_in_a_thread(model):
    run(lambda batcher: one_after_the_other(batcher, model, "abcd"), Limits(brief_seconds=0.0))
    assert not any(here(model))


def test_an_error_on_the_event_loop_affects_one_caller_only(model):
    async def story(batcher):
        await batcher.run(job(model, "a"))
        with pytest.raises(RequestError, match="bad is bad"):
            await batcher.run(job(model, "bad"))
        return words(await batcher.run(job(model, "b")))

    assert run(story) == [["b"]]
    assert here(model) == [False, True, True]


def test_several_callers_soon_run_in_threads(model):
    async def story(batcher):
        await one_after_the_other(batcher, model, "abc")  # alone until here
        await callers(batcher, model, "abcd", 12)

    run(story, Limits(gather=0.5))
    assert sum(here(model)) <= 7 and max(map(len, model.batches)) == 4


def test_rows_and_waits_of_each_batch_are_observed(model):
    observed = []

    async def story(batcher):
        await held_up(batcher, model, job(model, "a"), job(model, "b", "c"))

    run(story, observe=lambda rows, waited: observed.append((rows, len(waited))))
    assert observed == [(1, 1), (3, 2)]
