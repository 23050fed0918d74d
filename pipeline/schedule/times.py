"""When it is time: cron expressions as crontab reads them, and even intervals.

APScheduler works out the times, over the changes of summer time too. Its loop is not used: it knows the wall clock only, and
the scheduler has one job, which must not run beside itself.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from components.errors import UserError
from pipeline import durations
from pipeline.schedule.clock import moment

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_RANGE = re.compile(r"(\*|[0-7])(?:-([0-7]))?(?:/([1-9]\d*))?")


class Times(Protocol):
    """When it is time to look. `text` says so to the user; `keeps` is whether a time that passes while nobody schedules counts."""

    text: str
    keeps: bool

    def first(self, now: datetime.datetime) -> datetime.datetime:
        """The first time, for a scheduler that starts now and never ran before."""

    def after(self, now: datetime.datetime) -> datetime.datetime:
        """The next time, `now` not included."""

    def moved(self, due: datetime.datetime, now: datetime.datetime, by: float) -> datetime.datetime:
        """The time in place of `due`, now that the clock was set forward by so many seconds."""


@dataclass(frozen=True)
class Every:
    """Times at even intervals, the first at once; `watched` is the folder that is looked at so often, if that is what it is for."""

    seconds: int
    watched: str = ""

    @property
    def text(self) -> str:
        every = f"every {durations.shown(self.seconds)}"
        return f"watch {self.watched}, {every}" if self.watched else every

    @property
    def keeps(self) -> bool:
        return not self.watched

    def first(self, now: datetime.datetime) -> datetime.datetime:
        return now

    def after(self, now: datetime.datetime) -> datetime.datetime:
        return _later(now, self.seconds)

    def moved(self, due: datetime.datetime, now: datetime.datetime, by: float) -> datetime.datetime:
        return _later(due, by)


@dataclass(frozen=True)
class Cron:
    """The times of a cron expression, by the clock on the wall of `zone`."""

    expression: str
    zone: str
    trigger: BaseTrigger
    keeps: bool = True

    @property
    def text(self) -> str:
        return f"cron {self.expression} ({self.zone})"

    def first(self, now: datetime.datetime) -> datetime.datetime:
        return self.after(now)

    def after(self, now: datetime.datetime) -> datetime.datetime:
        # From a minute ago: within the second before summer time APScheduler passes over the hour that is left out.
        time = _later(now.replace(second=0, microsecond=0), -60)
        while True:
            time = self.trigger.get_next_fire_time(None, time)
            if moment(time) > moment(now):
                return moment(time)
            time = _later(time, 1)

    def moved(self, due: datetime.datetime, now: datetime.datetime, by: float) -> datetime.datetime:
        # Set back, it may be time sooner than thought; set forward, what was passed over is made up for.
        return min(due, self.after(now))


def cron(expression: str, zone: datetime.tzinfo) -> Cron:
    """The times of a cron expression: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday), or `@daily`.

    Where both days are restricted, either is enough, as for crontab. A time that summer time leaves out comes an hour
    later by the clock on the wall; one that comes twice counts twice.

    Raises UserError for an expression that is none, or whose time never comes.
    """
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    fields = _NAMED.get(expression.strip().lower(), expression).split()
    try:
        if len(fields) != 5:
            raise ValueError(f"found {len(fields)} fields")
        minute, hour, day, month, weekday = fields
        weekday = _weekdays(weekday)
        pairs = [(day, weekday)] if "*" in (day[0], weekday[0]) else [(day, "*"), ("*", weekday)]
        triggers = [
            CronTrigger(
                minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=zone
            )
            for day, weekday in pairs
        ]
        trigger = triggers[0] if len(triggers) == 1 else OrTrigger(triggers)
        now = datetime.datetime.now(zone)
        if not trigger.get_next_fire_time(None, now):
            raise ValueError("found a time that never comes")
    except ValueError as error:
        raise UserError(
            f"cron {expression}: {error}; expected minute, hour, day of the month, month and day of the week, as in"
            " '0 2 * * *' for two o'clock each night"
        ) from None
    return Cron(expression, str(zone), trigger)


def _later(time: datetime.datetime, seconds: float) -> datetime.datetime:
    # By way of UTC: an hour of the clock on the wall may be missing, or there twice.
    moved = time.astimezone(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moved.astimezone(time.tzinfo)


def _weekdays(field: str) -> str:
    """The field with names in place of numbers: crontab counts from Sunday, APScheduler from Monday.

    >>> _weekdays("1-5"), _weekdays("*/3"), _weekdays("fri")
    ('mon,tue,wed,thu,fri', 'sun,wed,sat', 'fri')
    """
    if field == "*":
        return field
    names = []
    for part in field.lower().split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            names.append(part)  # names, or what APScheduler will complain of
            continue
        start, end, step = match.groups()
        low = 0 if start == "*" else int(start)
        high = 6 if start == "*" or (step and not end) else int(end or low)
        if low > high:
            raise ValueError(f"found {part}, whose first day is behind its last")
        names += [_DAYS[number % 7] for number in range(low, high + 1, int(step or 1))]
    return ",".join(dict.fromkeys(names))


def zone(name: str | None) -> datetime.tzinfo:
    """The time zone of that name, the machine's for none. Raises UserError if there is none of that name."""
    import zoneinfo

    import tzlocal

    try:
        return zoneinfo.ZoneInfo(name) if name else tzlocal.get_localzone()
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        given = (
            f"schedule.timezone: found {name!r}"
            if name
            else "the machine's time zone cannot be told"
        )
        raise UserError(
            f"{given}; expected a name such as Europe/Berlin or UTC in schedule.timezone"
        ) from None
