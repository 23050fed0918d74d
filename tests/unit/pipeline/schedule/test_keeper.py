"""The loop: at which times it looks, what it makes of times that were missed and of a clock that is set, and --watch."""

import datetime
import gc
import os
import sys
import zoneinfo

import pytest

from components.errors import UserError
from pipeline.exits import DONE
from pipeline.schedule import scheduler_loop, state
from pipeline.schedule.times import Every, cron

UTC = datetime.timezone.utc
HOUR = 3_600


@pytest.fixture
def looks(project):
    """Keeps a schedule for so many hours; a look takes as long as it is told to, and its times by the wall are returned."""

    def keep(times, hours, takes=(), raises=None):
        found, lasting = [], list(takes)

        def look():
            found.append(f"{project.time.clock.now():%d %H:%M}")
            if raises:
                raise raises
            project.time._pass(lasting.pop(0) if lasting else 0)
            return DONE

        project.places.logs.mkdir(parents=True, exist_ok=True)
        project.time.ends_at = project.time.steady + hours * HOUR
        scheduler_loop.keep(project.job, project.places, times, look)
        return found

    return keep


def test_every_six_hours_begins_at_once(looks):
    assert looks(Every(6 * HOUR), 19) == ["22 02:00", "22 08:00", "22 14:00", "22 20:00"]


def test_cron_waits_for_its_time(looks):
    assert looks(cron("30 2,14 * * *", UTC), 30) == ["22 02:30", "22 14:30", "23 02:30"]


def test_times_missed_during_a_long_run_count_as_one(looks):
    assert looks(Every(HOUR), 8, takes=[4.5 * HOUR]) == [
        "22 02:00",
        "22 06:30",
        "22 07:30",
        "22 08:30",
        "22 09:30",
    ]


def test_times_missed_while_nobody_schedules_count_as_one(looks, project):
    daily = cron("0 3 * * *", UTC)
    assert looks(daily, 2) == ["22 03:00"]
    project.time._pass(5 * 24 * HOUR)
    assert looks(daily, 24) == ["27 04:00", "28 03:00"]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((2026, 3, 28), ["28 02:30", "29 03:30", "30 02:30"]),
        ((2026, 10, 24), ["24 02:30", "25 02:30", "25 02:30", "26 02:30"]),
    ],
)
def test_the_hour_that_summer_time_takes_or_gives_is_no_clock_that_was_set(
    looks, project, day, expected
):
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    project.time.zone = berlin
    project.time.wall = datetime.datetime(*day, tzinfo=berlin).astimezone(UTC)
    assert looks(cron("30 2 * * *", berlin), 55) == expected
    assert project.said == []


def test_a_restart_does_not_look_before_the_time(looks):
    assert looks(Every(6 * HOUR), 1) == ["22 02:00"]
    assert looks(Every(6 * HOUR), 1) == []
    assert looks(Every(6 * HOUR), 5) == ["22 08:00"]


def test_another_schedule_begins_anew(looks):
    assert looks(Every(6 * HOUR), 1) == ["22 02:00"]
    assert looks(Every(5 * HOUR), 1) == ["22 03:00"]


def test_a_run_that_was_cut_off_is_due_at_once(looks, project):
    project.turn()
    done = project.state.done
    flight = state.Flight(
        because="x", began=done.began, log="", runs=(done.run,), versions=(), inputs=done.inputs
    )
    state.write(project.state.model_copy(update={"flight": flight}), project.places.state)
    assert len(looks(cron("0 2 1 1 *", UTC), 1)) == 1


@pytest.mark.parametrize("by", [-3 * HOUR, 50 * HOUR])
def test_even_intervals_do_not_mind_the_clock_on_the_wall(looks, project, by):
    project.time.at(0.5 * HOUR, lambda: project.time.set_wall(by))
    began = project.time.wall
    found = looks(Every(2 * HOUR), 5)
    walls = [
        began + datetime.timedelta(seconds=seconds) for seconds in (0, 2 * HOUR + by, 4 * HOUR + by)
    ]
    assert found == [f"{wall:%d %H:%M}" for wall in walls]
    assert project.said == [f"the clock was set {'forward' if by > 0 else 'back'} by {abs(by)} s"]


def test_cron_follows_a_clock_that_is_set_back_by_a_year(looks, project):
    project.time.at(HOUR, lambda: project.time.set_wall(-365 * 24 * HOUR))
    assert looks(cron("30 4 * * *", UTC), 4) == ["22 04:30"]


def test_a_clock_set_back_while_nobody_schedules_delays_by_an_interval_at_most(looks, project):
    assert looks(Every(2 * HOUR), 1) == ["22 02:00"]
    project.time.set_wall(-24 * HOUR)
    assert looks(Every(2 * HOUR), 3) == ["21 05:00"]


@pytest.mark.parametrize(
    "error", [UserError("a.conll:3: found x"), OSError(28, "No space left on device")]
)
def test_what_goes_wrong_is_told_and_the_next_time_comes(looks, project, error):
    assert len(looks(Every(HOUR), 2.5, raises=error)) == 3
    assert project.said.count(f"no run: {error}") == 3


def test_a_hundred_looks_with_nothing_new_leave_nothing_behind(project):
    project.turn()
    times = Every(HOUR)

    def look(times_over):
        project.time.ends_at = project.time.steady + times_over * HOUR
        scheduler_loop.keep(project.job, project.places, times, project.turn)
        looks = len(project.said)
        project.said.clear()
        project.time.naps.clear()
        gc.collect()
        return looks, sys.getallocatedblocks()

    def files():
        return {path: path.stat().st_size for path in project.folder.rglob("*") if path.is_file()}

    look(10)  # what Python and its libraries keep for themselves, they keep now
    files_before, open_before, (_, blocks_before) = files(), os.listdir("/proc/self/fd"), look(1)
    looks, blocks = look(100)
    assert looks >= 100 and project.reasons == ["the first run on this schedule"]
    assert files() == files_before and len(os.listdir("/proc/self/fd")) == len(open_before)
    assert blocks - blocks_before < 5 * looks  # what a look makes are thousands


@pytest.fixture
def watched(project):
    """Looks of a watcher, one after the other."""
    project.places.logs.mkdir(parents=True, exist_ok=True)
    return scheduler_loop.Watcher(project.job, project.places)


def test_watching_begins_a_run_when_nothing_changes_any_more(project, watched):
    watched.look()
    project.write("dev.conll")
    watched.look()
    assert project.reasons == []
    watched.look()
    assert project.reasons == ["the first run on this schedule"]
    for _ in range(3):
        watched.look()
    assert (
        len(project.reasons) == 1
        and len([line for line in project.said if "nothing new" in line]) == 0
    )
    project.write("test.conll")
    watched.look()
    watched.look()
    assert project.reasons[1:] == ["new data: test.conll"]


def test_watching_waits_for_a_span_that_is_not_whole_and_says_so_once(project, watched):
    (project.data / "train.conll").unlink()
    project.settings += ["spans.marker=_SUCCESS"]
    span = project.data / "span-1"
    project.write("all.conll", folder=span)
    for _ in range(3):
        watched.look()
    assert [
        line.startswith("waiting: ") and "span 1 is not whole" in line for line in project.said
    ] == [True]
    (span / "_SUCCESS").touch()
    watched.look()
    watched.look()
    assert len(project.reasons) == 1


def test_watching_does_not_begin_again_on_bad_data(project, watched):
    project.plan({"code": 2, "says": "tfx-ner: bad"})
    for _ in range(4):
        watched.look()
    assert len(project.reasons) == 1


def test_watching_tries_a_failed_run_again_an_hour_later(project, watched):
    project.settings += ["schedule.retries=0"]
    project.plan({"code": 1}, {"code": 0, "published": "3"})
    for _ in range(4):
        watched.look()
    assert len(project.reasons) == 1
    project.time._pass(HOUR)
    watched.look()
    assert len(project.reasons) == 2 and project.state.done.version == "3"
