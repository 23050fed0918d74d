"""The scheduler's loop: crontab expressions, intervals, missed times, changes of the wall clock, and --watch."""

import datetime
import doctest
import gc
import os
import sys
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from pipeline import durations
from pipeline.exits import DONE
from pipeline.schedule import inputs, scheduler_loop
from pipeline.schedule.process import fixed_offset
from pipeline.schedule.scheduler_loop import cron, every, run_on_schedule, time_zone

UTC = datetime.timezone.utc
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOW = datetime.datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # a Sunday
HOUR = 3_600


def next_times(times, now, count):
    upcoming = []
    for _ in range(count):
        now = times.next(now)
        upcoming.append(now)
    return upcoming


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
def test_a_cron_expression_has_the_times_of_crontab(expression, expected):
    times = next_times(cron(expression, UTC), NOW, len(expected))
    assert [f"{time:%a %d %b %H:%M}" for time in times] == expected


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
def test_an_invalid_cron_expression_is_refused(expression, problem):
    with pytest.raises(UserError, match=problem) as error:
        cron(expression, UTC)
    assert str(error.value).startswith(f"cron {expression}: ") and "'0 2 * * *'" in str(error.value)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((2026, 3, 28, 12), ["2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"]),
        (
            (2026, 10, 24, 12),
            [
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-26T02:30:00+01:00",
            ],
        ),
    ],
    ids=["a time that is skipped comes an hour later", "a time that occurs twice is used twice"],
)
def test_cron_across_a_change_of_summer_time(day, expected):
    now = fixed_offset(datetime.datetime(*day, tzinfo=BERLIN))
    times = next_times(cron("30 2 * * *", BERLIN), now, len(expected))
    assert [time.isoformat() for time in times] == expected


@given(
    st.sampled_from(["0 2 * * *", "*/7 * * * *", "30 2 * * 1-5", "0 0 13 * 5", "59 23 * * 0"]),
    st.datetimes(
        datetime.datetime(2026, 1, 1),
        datetime.datetime(2028, 1, 1),
        timezones=st.sampled_from([UTC, BERLIN]),
    ),
)
def test_the_next_time_is_later_and_no_time_is_skipped(expression, now):
    now = fixed_offset(now)
    times = cron(expression, BERLIN)
    following = times.next(now)
    assert following > now
    assert times.next(now + (following - now) / 2) == following


def test_the_time_zone_is_that_of_the_machine_or_of_the_setting():
    assert str(time_zone("Europe/Berlin")) == "Europe/Berlin"
    local_offset = datetime.datetime.now().astimezone().utcoffset()
    assert datetime.datetime.now(time_zone(None)).utcoffset() == local_offset
    with pytest.raises(UserError, match=r"schedule\.timezone: found 'Mars/Base'"):
        time_zone("Mars/Base")


@pytest.mark.parametrize("module", [durations, scheduler_loop, inputs])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.fixture
def check_times(project):
    """Runs a schedule for some hours; returns the wall-clock time of each check."""

    def run(times, hours, check_seconds=(), raises=None):
        check_starts, durations_left = [], list(check_seconds)

        def check():
            check_starts.append(f"{project.time.clock.now():%d %H:%M}")
            if raises:
                raise raises
            project.time.advance(durations_left.pop(0) if durations_left else 0)
            return DONE

        project.time.stops_at = project.time.monotonic + hours * HOUR
        run_on_schedule(project.retraining, times, check)
        return check_starts

    return run


def test_an_interval_starts_immediately(check_times):
    assert check_times(every(6 * HOUR), 19) == ["22 02:00", "22 08:00", "22 14:00", "22 20:00"]


def test_cron_waits_for_its_time(check_times):
    expected = ["22 02:30", "22 14:30", "23 02:30"]
    assert check_times(cron("30 2,14 * * *", UTC), 30) == expected


def test_times_missed_during_a_long_run_count_as_one(check_times):
    expected = ["22 02:00", "22 06:30", "22 07:30", "22 08:30", "22 09:30"]
    assert check_times(every(HOUR), 8, check_seconds=[4.5 * HOUR]) == expected


def test_times_missed_without_a_scheduler_count_as_one(check_times, project):
    daily = cron("0 3 * * *", UTC)
    assert check_times(daily, 2) == ["22 03:00"]
    project.time.advance(5 * 24 * HOUR)
    assert check_times(daily, 24) == ["27 04:00", "28 03:00"]


def test_a_restart_does_not_check_before_the_time(check_times):
    assert check_times(every(6 * HOUR), 1) == ["22 02:00"]
    assert check_times(every(6 * HOUR), 1) == []
    assert check_times(every(6 * HOUR), 5) == ["22 08:00"]


def test_another_schedule_does_not_use_the_stored_time(check_times):
    assert check_times(every(6 * HOUR), 1) == ["22 02:00"]
    assert check_times(every(5 * HOUR), 1) == ["22 03:00"]


def test_an_interrupted_run_is_due_immediately(check_times, project):
    project.retrain()
    project.put_in_flight(project.state.done)
    assert len(check_times(cron("0 2 1 1 *", UTC), 1)) == 1


@pytest.mark.parametrize("times", [every(2 * HOUR), cron("0 */2 * * *", UTC)])
def test_a_wall_clock_that_is_set_back_delays_by_one_interval_at_most(check_times, project, times):
    event = (HOUR, lambda: project.time.set_wall(-365 * 24 * HOUR))
    project.time.events.append(event)
    project.time.advance(60)
    assert len(check_times(times, 6)) in (3, 4)


def test_a_wall_clock_that_is_set_back_between_two_starts_delays_by_one_interval_at_most(
    check_times, project
):
    assert check_times(every(2 * HOUR), 1) == ["22 02:00"]
    project.time.set_wall(-24 * HOUR)
    assert check_times(every(2 * HOUR), 3) == ["21 05:00"]


@pytest.mark.parametrize(
    "error", [UserError("a.conll:3: found x"), OSError(28, "No space left on device")]
)
def test_an_error_is_reported_and_does_not_stop_the_schedule(check_times, project, error):
    assert len(check_times(every(HOUR), 2.5, raises=error)) == 3
    assert project.messages.count(f"no run: {error}") == 3


def test_a_workdir_that_is_moved_while_the_scheduler_waits_stops_it(project):
    project.retrain()

    def check():
        project.work.rename(project.work.with_name("elsewhere"))
        return DONE

    with pytest.raises(UserError, match=r"was moved or removed while the scheduler waited; start"):
        run_on_schedule(project.retraining, every(HOUR), check)
    assert not project.work.exists()


def test_a_hundred_checks_without_changes_leak_neither_memory_nor_files(project):
    project.retrain()

    def check(count):
        project.time.stops_at = project.time.monotonic + count * HOUR
        run_on_schedule(project.retraining, every(HOUR), project.retrain)
        checks = len(project.messages)
        project.messages.clear()
        project.time.naps.clear()
        gc.collect()
        return checks, sys.getallocatedblocks()

    def files():
        return {path: path.stat().st_size for path in project.folder.rglob("*") if path.is_file()}

    check(10)  # fills the caches of Python and the libraries
    files_before, open_before, (_, blocks_before) = files(), os.listdir("/proc/self/fd"), check(1)
    checks, blocks = check(100)
    assert checks >= 100 and project.run_reasons == ["the first run on this schedule"]
    assert files() == files_before and len(os.listdir("/proc/self/fd")) == len(open_before)
    assert blocks - blocks_before < 5 * checks  # one check allocates thousands


@pytest.fixture
def check_watched(project):
    """Checks the watched data a number of times."""
    watched = scheduler_loop.WatchedData(project.retraining)

    def check(count=1):
        for _ in range(count):
            watched.check()

    return check


def test_watched_data_starts_a_run_when_it_no_longer_changes(project, check_watched):
    check_watched()
    project.write("dev.conll")
    check_watched()
    assert project.run_reasons == []
    check_watched()
    assert project.run_reasons == ["the first run on this schedule"]
    check_watched(3)
    assert len(project.run_reasons) == 1
    assert not any("nothing new" in line for line in project.messages)
    project.write("test.conll")
    check_watched(2)
    assert project.run_reasons[1:] == ["new data: test.conll"]


def test_watched_data_with_an_incomplete_span_is_waited_for_with_one_message(
    project, check_watched
):
    (project.data / "train.conll").unlink()
    project.settings += ["spans.marker=_SUCCESS"]
    span = project.data / "span-1"
    project.write("all.conll", folder=span)
    check_watched(3)
    [message] = project.messages
    assert message.startswith("waiting: ") and "span 1 is not complete" in message
    (span / "_SUCCESS").touch()
    check_watched(2)
    assert len(project.run_reasons) == 1


def test_watched_data_that_is_bad_starts_one_run(project, check_watched):
    project.plan({"code": 2, "says": "tfx-ner: bad"})
    check_watched(4)
    assert len(project.run_reasons) == 1


def test_a_failed_run_on_watched_data_is_repeated_an_hour_later(project, check_watched):
    project.settings += ["schedule.retries=0"]
    project.plan({"code": 1}, {"code": 0, "published": "3"})
    check_watched(4)
    assert len(project.run_reasons) == 1
    project.time.advance(HOUR)
    check_watched()
    assert len(project.run_reasons) == 2 and project.state.done.version == "3"
