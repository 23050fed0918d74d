"""Batching of texts into requests: no text is lost, and no batch exceeds its limits."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.client.client import Batcher, async_batches, batches


@given(
    st.lists(st.text(st.characters(), max_size=20), max_size=60),
    st.integers(1, 9),
    st.integers(1, 60),
)
def test_batches_hold_every_text_in_order_and_stay_below_their_limits(texts, most, size):
    parts = list(batches(texts, Batcher(most, size)))
    assert [text for batch in parts for text in batch] == texts
    for batch in parts:
        assert 1 <= len(batch) <= most
        assert (
            len(batch) == 1 or sum(len(text.encode("utf-8", "replace")) for text in batch) <= size
        )
    for batch, after in pairwise(parts):  # no batch ends before it has to
        grown = [*batch, after[0]]
        assert (
            len(grown) > most or sum(len(text.encode("utf-8", "replace")) for text in grown) > size
        )


def test_a_long_text_is_not_batched_with_many_short_ones():
    """Every row of the response would be padded to the width of the long text's."""
    texts = ["a"] * 50 + ["a" * 20_000] + ["a"] * 50
    sizes = [(len(batch), max(map(len, batch))) for batch in batches(texts, Batcher(1000, 10**9))]
    assert all(texts * longest <= 2**17 for texts, longest in sizes) and len(sizes) > 2


def test_a_text_beyond_every_limit_is_a_batch_of_its_own():
    assert [len(batch) for batch in batches(["a", "b" * 10**6, "c"], Batcher(10, 100))] == [1, 1, 1]


@pytest.mark.parametrize("is_async", [True, False])
def test_async_texts_are_batched_like_others(is_async):
    async def later():
        for text in "abcde":
            await asyncio.sleep(0)
            yield text

    async def collected():
        return [
            batch
            async for batch in async_batches(
                later() if is_async else iter("abcde"), Batcher(2, 100)
            )
        ]

    assert asyncio.run(collected()) == [["a", "b"], ["c", "d"], ["e"]]
