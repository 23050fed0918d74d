"""The scheduler's loop: when to check for something new (cron, an interval, or a watched folder)."""

import datetime
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field

from components.errors import UserError
from pipeline import durations
from pipeline.exits import DONE, STOPPED
from pipeline.schedule import inputs
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.process import fixed_offset
from pipeline.schedule.retraining import LONGEST_BACKOFF_SECONDS, Retraining

# Sleeps are short because sleeping stops while a machine is suspended, and the wall clock goes on.
_NAP_SECONDS = 60

_CRON_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAY_RANGE = re.compile(r"(\*|[0-7])(?:-([0-7]))?(?:/([1-9]\d*))?")


@dataclass(frozen=True)
class Times:
    """When to check for something new."""

    text: str  # the schedule as `schedule status` shows it
    # returns the first time after a given one
    next: Callable[[datetime.datetime], datetime.datetime]
    at_once: bool  # the first check is due when the scheduler starts
    make_up: bool  # a time that passed while no scheduler ran is made up for at the next start


def every(seconds: int, folder: str = "") -> Times:
    """A check at once, and then at an interval; of a watched folder if one is given."""
    interval = datetime.timedelta(seconds=seconds)
    watch = f"watch {folder}, " if folder else ""
    text = f"{watch}every {durations.shown(seconds)}"
    return Times(text, lambda now: now + interval, at_once=True, make_up=not folder)


def cron(expression: str, zone: datetime.tzinfo) -> Times:
    """A check at the times of a crontab expression, in a time zone. APScheduler computes the times.

    The fields are minute, hour, day of the month, month and day of the week (0 and 7 are Sunday);
    nicknames as `@daily` are known too. If both days are restricted, either is enough, as in crontab.
    A time that summer time skips comes an hour later; one that occurs twice is used twice.

    Raises:
      UserError: the expression is invalid, or its time never comes.
    """
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    fields = _CRON_NICKNAMES.get(expression.strip().lower(), expression).split()
    try:
        if len(fields) != 5:
            raise ValueError(f"found {len(fields)} fields")
        minute, hour, day, month, weekday = fields
        weekday = _weekday_names(weekday)
        days = [(day, weekday)] if "*" in (day[0], weekday[0]) else [(day, "*"), ("*", weekday)]
        fixed = {"minute": minute, "hour": hour, "month": month, "timezone": zone}
        trigger = OrTrigger(
            [CronTrigger(day=day, day_of_week=weekday, **fixed) for day, weekday in days]
        )
        now = datetime.datetime.now(zone)
        if not trigger.get_next_fire_time(None, now):
            raise ValueError("found a time that never comes")
    except ValueError as error:
        raise UserError(
            f"cron {expression}: {error}; expected minute, hour, day of the month, month and day of"
            " the week, as in '0 2 * * *' for two o'clock each night"
        ) from None

    def next_time(now: datetime.datetime) -> datetime.datetime:
        following = trigger.get_next_fire_time(None, now + datetime.timedelta(microseconds=1))
        # By way of UTC, so that a time that summer time skips is shown as the hour that exists.
        return fixed_offset(following.astimezone(datetime.timezone.utc).astimezone(zone))

    return Times(f"cron {expression} ({zone})", next_time, at_once=False, make_up=True)


def _weekday_names(cron_field: str) -> str:
    """Replaces numbers of weekdays by names: crontab counts from Sunday, APScheduler from Monday.

    >>> _weekday_names("1-5"), _weekday_names("*/3"), _weekday_names("fri")
    ('mon,tue,wed,thu,fri', 'sun,wed,sat', 'fri')
    """
    if cron_field == "*":
        return cron_field
    names = []
    for part in cron_field.lower().split(","):
        match = _WEEKDAY_RANGE.fullmatch(part)
        if not match:
            names.append(part)  # a name, or an error that APScheduler reports
            continue
        start, end, step = match.groups()
        first = 0 if start == "*" else int(start)
        last = 6 if start == "*" or (step and not end) else int(end or first)
        if first > last:
            raise ValueError(f"found {part}, whose first day is behind its last")
        names += [_WEEKDAYS[number % 7] for number in range(first, last + 1, int(step or 1))]
    return ",".join(dict.fromkeys(names))


def time_zone(name: str | None) -> datetime.tzinfo:
    """The time zone of a name, as Europe/Berlin; the machine's for None.

    Raises:
      UserError: there is no such time zone.
    """
    import tzlocal

    try:
        return zoneinfo.ZoneInfo(name) if name else tzlocal.get_localzone()
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        found = f"found {name!r}" if name else "the machine's time zone is unknown"
        raise UserError(
            f"schedule.timezone: {found}; expected a name such as Europe/Berlin or UTC"
        ) from None


def run_on_schedule(retraining: Retraining, times: Times, check: Callable[[], int]) -> None:
    """Calls `check` at the times of a schedule until the scheduler has to stop.

    Times that pass during a check, or while no scheduler runs, count as one, which is made up for
    at once. A run that was cut off is repeated at once.

    Raises:
      UserError: the workdir was moved or removed while the scheduler waited.
    """
    clock = retraining.clock
    retraining.folder.root.mkdir(parents=True, exist_ok=True)  # its lack means that it was moved
    due: datetime.datetime | None = _first_check(retraining, times)
    while due := _wait_until(due, retraining, times):
        due = times.next(clock.now())
        try:
            if check() == STOPPED:
                return
        except UserError as error:
            retraining.log(f"no run: {error}")
        except Exception as error:  # such as a full disk, which may be free again next time
            retraining.log(f"no run: {' '.join(str(error).split()) or type(error).__name__}")


def _first_check(retraining: Retraining, times: Times) -> datetime.datetime:
    now, state = retraining.clock.now(), retraining.folder.read_state()
    if state.in_flight:
        return now
    if state.due and state.times == times.text:
        return min(state.due, times.next(now))
    return now if times.at_once else times.next(now)


def _wait_until(
    due: datetime.datetime, retraining: Retraining, times: Times
) -> datetime.datetime | None:
    """Waits for a time. Returns it, or None if the scheduler has to stop."""
    retraining.folder.refuse_moved()
    _store_due(due, retraining, times)
    clock = retraining.clock
    while (remaining := (due - clock.now()).total_seconds()) > 0:
        if clock.wait(min(remaining, _NAP_SECONDS)):
            return None
        retraining.folder.refuse_moved()
        due = min(due, times.next(clock.now()))  # earlier if the wall clock was set back
    return None if clock.wait(0) else due


def _store_due(due: datetime.datetime, retraining: Retraining, times: Times) -> None:
    state = retraining.folder.read_state()
    if times.make_up and (state.due, state.times) != (due, times.text):
        try:
            retraining.folder.update_state(due=due, times=times.text)
        except OSError as error:
            retraining.log(f"cannot store the time of the next check: {error}")


@dataclass
class WatchedData:
    """The check of `--watch`: runs when the data has changed, and not between the last two checks.

    A problem with the data is shown once, until there is another one.
    """

    retraining: Retraining
    _last_seen: Inputs | None = None
    _last_run_on: Inputs | None = None
    _retry_at: float = field(default=0.0)  # monotonic seconds
    _last_message: str = ""

    def check(self) -> int:
        """Runs the pipeline if the data has changed and is settled; returns as `run_if_changed` does."""
        clock, folder = self.retraining.clock, self.retraining.folder
        try:
            now = inputs.snapshot(self.retraining.load_config())
        except UserError as error:
            return self._report_once(str(error))
        is_settled, self._last_seen, self._last_message = now == self._last_seen, now, ""
        is_done = now == self._last_run_on and clock.monotonic() < self._retry_at
        if not folder.read_state().in_flight and (is_done or not is_settled):
            return DONE
        self._last_run_on, self._retry_at = now, float("inf")
        try:
            code = self.retraining.run_if_changed()
        except UserError as error:
            return self._report_once(str(error))
        except Exception:
            self._retry_at = clock.monotonic() + LONGEST_BACKOFF_SECONDS
            raise
        last = folder.read_state().last
        if last and not last.is_finished and not last.is_bad_input:
            self._retry_at = clock.monotonic() + LONGEST_BACKOFF_SECONDS
        return code

    def _report_once(self, message: str) -> int:
        key = re.sub(r"\d", "", message)  # a message may name seconds that pass
        if key != self._last_message:
            self._last_message = key
            self.retraining.log(f"waiting: {message}")
        return DONE
