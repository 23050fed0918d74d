"""The loop of the scheduler: a turn whenever it is time, one after the other, until it is told to end."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

from components.errors import UserError
from pipeline.exits import DONE, STOPPED
from pipeline.schedule import inputs, state
from pipeline.schedule.attempt import LONGEST_BACKOFF, Job, turn
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.places import Places
from pipeline.schedule.times import Times

_LONGEST_NAP = 60  # seconds; after each it is seen whether somebody has set the clock
_CLOCK_WAS_SET = 30  # seconds between two clocks from which on one of them was


def keep(job: Job, places: Places, times: Times, look: Callable[[], int]) -> None:
    """Calls `look`, a turn, at these times until the program is told to end.

    Times that pass while a run is at work, or while nobody schedules, count as one, which is made up for at once. The next
    time is kept with the state, and a run that was cut off is due at once.
    """
    due = _first(job, places, times)
    while True:
        _keep_due(places, times, due)
        due = _wait_for(due, job, times)
        if due is None:
            return
        due = times.after(job.clock.now())
        try:
            code = look()
        except UserError as error:
            job.say(f"no run: {error}")
        except (
            Exception
        ) as error:  # as a full disk: what is wrong may be mended until the next time
            job.say(f"no run: {' '.join(str(error).split()) or type(error).__name__}")
        else:
            if code == STOPPED:
                return


def _first(job: Job, places: Places, times: Times) -> datetime.datetime:
    now, before = job.clock.now(), state.read(places.state)
    if before.flight:
        return now
    if before.due and before.times == times.text:
        # Not later than without what was kept: the clock may have been set back since.
        return min(before.due.astimezone(now.tzinfo), times.after(now))
    return times.first(now)


def _wait_for(due: datetime.datetime, job: Job, times: Times) -> Optional[datetime.datetime]:
    """Waits until it is time; None if the program is told to end. Of a clock that is set meanwhile, makes the best."""
    clock = job.clock
    while True:
        now, steady = clock.now(), clock.steady()
        rest = (due - now).total_seconds()
        if clock.wait(max(0.0, min(rest, _LONGEST_NAP))):
            return None
        if rest <= 0:
            return due
        was_set = (clock.now() - now).total_seconds() - (clock.steady() - steady)
        if abs(was_set) > _CLOCK_WAS_SET:
            job.say(
                f"the clock was set {'forward' if was_set > 0 else 'back'} by {abs(was_set):.0f} s"
            )
            due = times.moved(due, clock.now(), was_set)


def _keep_due(places: Places, times: Times, due: datetime.datetime) -> None:
    before = state.read(places.state)
    if times.keeps and (before.due, before.times) != (due, times.text):
        with contextlib.suppress(
            OSError
        ):  # a full disk: without it a time may be missed after a restart
            state.write(before.model_copy(update={"due": due, "times": times.text}), places.state)


@dataclass
class Watcher:
    """Turns of `--watch`: only when the data has changed, and then not between two looks any more.

    What cannot be run on is said once, and not again until it is something else.
    """

    job: Job
    places: Places
    _seen: Optional[Inputs] = None
    _dealt_with: Optional[Inputs] = None
    _again_at: float = field(default=0.0)
    _said: str = ""

    def look(self) -> int:
        """A turn, if there is something to see; else `DONE`. As `turn` otherwise."""
        before = state.read(self.places.state)
        try:
            now = inputs.look(self.job.load())
        except UserError as error:
            return self._wait_for_data(str(error))
        settled, self._seen, self._said = now == self._seen, now, ""
        steady = self.job.clock.steady()
        if not before.flight and (
            not settled or (now == self._dealt_with and steady < self._again_at)
        ):
            return DONE
        self._dealt_with, self._again_at = now, float("inf")
        try:
            code = turn(self.job, self.places)
        except UserError as error:
            return self._wait_for_data(str(error))
        except Exception:
            self._again_at = steady + LONGEST_BACKOFF
            raise
        last = state.read(self.places.state).last
        if last and not last.finished and not last.bad_input:
            self._again_at = self.job.clock.steady() + LONGEST_BACKOFF
        return code

    def _wait_for_data(self, reason: str) -> int:
        # The same but for the seconds it names.
        key = "".join(letter for letter in reason if not letter.isdigit())
        if key != self._said:
            self._said = key
            self.job.say(f"waiting: {reason}")
        return DONE
