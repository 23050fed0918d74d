"""When it is time: crontab's expressions, summer time, even intervals, lengths of time."""

import datetime
import doctest
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from pipeline import durations
from pipeline.schedule import inputs, times

UTC = datetime.timezone.utc
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def following(when, now, count):
    found = []
    for _ in range(count):
        now = when.after(now)
        found.append(now)
    return found


def shown(when, now, count):
    return [f"{time:%a %d %b %H:%M}" for time in following(when, now, count)]


NOW = datetime.datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 2 * * *", ["Mon 23 Nov 02:00", "Tue 24 Nov 02:00"]),
        ("@daily", ["Mon 23 Nov 00:00", "Tue 24 Nov 00:00"]),
        ("*/20 14 * * *", ["Sun 22 Nov 14:20", "Sun 22 Nov 14:40"]),
        ("0 0 * * 0", ["Sun 29 Nov 00:00", "Sun 06 Dec 00:00"]),
        ("0 0 * * 7", ["Sun 29 Nov 00:00", "Sun 06 Dec 00:00"]),
        ("0 0 * * 1", ["Mon 23 Nov 00:00", "Mon 30 Nov 00:00"]),
        ("0 0 * * 5-7", ["Fri 27 Nov 00:00", "Sat 28 Nov 00:00", "Sun 29 Nov 00:00"]),
        ("0 0 * * sat,0", ["Sat 28 Nov 00:00", "Sun 29 Nov 00:00"]),
        ("0 0 * * */3", ["Wed 25 Nov 00:00", "Sat 28 Nov 00:00", "Sun 29 Nov 00:00"]),
        ("0 0 24 * 1", ["Mon 23 Nov 00:00", "Tue 24 Nov 00:00", "Mon 30 Nov 00:00"]),
    ],
)
def test_cron_is_read_as_crontab_reads_it(expression, expected):
    assert shown(times.cron(expression, UTC), NOW, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("0 2 * *", "found 4 fields"),
        ("61 * * * *", "maximum value"),
        ("0 0 * * 8", "maximum value"),
        ("0 0 * * 5-1", "first day is behind its last"),
        ("0 0 30 2 *", "never comes"),
        ("tonight", "found 1 fields"),
    ],
)
def test_what_is_no_time_is_refused(expression, problem):
    with pytest.raises(UserError, match=problem) as error:
        times.cron(expression, UTC)
    assert str(error.value).startswith(f"cron {expression}: ") and "'0 2 * * *'" in str(error.value)


def test_a_time_that_summer_time_leaves_out_comes_an_hour_later():
    when = times.cron("30 2 * * *", BERLIN)
    found = following(when, datetime.datetime(2026, 3, 28, 12, tzinfo=BERLIN), 2)
    assert [
        time.astimezone(BERLIN).isoformat() for time in (one.astimezone(UTC) for one in found)
    ] == [
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_time_that_comes_twice_counts_twice():
    when = times.cron("30 2 * * *", BERLIN)
    found = following(when, datetime.datetime(2026, 10, 24, 12, tzinfo=BERLIN), 3)
    assert [time.isoformat() for time in found] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_six_hours_are_six_hours_when_the_clock_changes():
    when = times.Every(6 * 3600)
    assert (
        when.after(datetime.datetime(2026, 10, 24, 23, tzinfo=BERLIN)).isoformat()
        == "2026-10-25T04:00:00+01:00"
    )


@given(
    st.sampled_from(["0 2 * * *", "*/7 * * * *", "30 2 * * 1-5", "0 0 13 * 5", "59 23 * * 0"]),
    st.datetimes(
        datetime.datetime(2026, 1, 1),
        datetime.datetime(2028, 1, 1),
        timezones=st.sampled_from([UTC, BERLIN]),
    ),
)
def test_the_next_time_is_later_and_fits_and_none_is_between(expression, now):
    when = times.cron(expression, now.tzinfo)
    following = when.after(now)
    assert following.astimezone(UTC) > now.astimezone(UTC)
    halfway = now.astimezone(UTC) + (following.astimezone(UTC) - now.astimezone(UTC)) / 2
    assert when.after(halfway.astimezone(now.tzinfo)) == following


def test_the_zone_is_the_machines_or_the_one_that_is_named():
    assert str(times.zone("Europe/Berlin")) == "Europe/Berlin"
    assert (
        datetime.datetime.now(times.zone(None)).utcoffset()
        == datetime.datetime.now().astimezone().utcoffset()
    )
    with pytest.raises(UserError, match=r"schedule\.timezone: found 'Mars/Base'"):
        times.zone("Mars/Base")


@given(st.integers(1, 10_000), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_length_of_time_is_the_sum_of_its_parts(days, hours, minutes, seconds):
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    if days == 10_000 and total > days * 86_400:
        with pytest.raises(ValueError, match="length of time"):
            durations.seconds(text)
    else:
        assert durations.seconds(text) == total


@pytest.mark.parametrize("text", ["", "6", "6x", "0s", "-1h", "1h 30m", "1.5h", "99999d"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(ValueError, match="expected a length of time"):
        durations.seconds(text)


@pytest.mark.parametrize("module", [durations, times, inputs])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0
