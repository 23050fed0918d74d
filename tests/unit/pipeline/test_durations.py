"""Durations as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import durations


@given(st.integers(1, 10_000), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_parts(days, hours, minutes, seconds):
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    if days == 10_000 and total > days * 86_400:
        with pytest.raises(ValueError, match="length of time"):
            durations.seconds(text)
    else:
        assert durations.seconds(text) == total


@pytest.mark.parametrize("text", ["", "6", "6x", "0s", "-1h", "1h 30m", "1.5h", "99999d"])
def test_an_invalid_duration_is_refused(text):
    with pytest.raises(ValueError, match="expected a length of time"):
        durations.seconds(text)
