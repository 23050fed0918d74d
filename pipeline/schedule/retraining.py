"""Retraining: checks whether data, settings or code have changed, and if so runs the pipeline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.errors import BusyError, UserError
from pipeline import durations
from pipeline.config import Config
from pipeline.exits import BAD_INPUT, DONE, NOTHING_NEW, STOPPED
from pipeline.schedule import hooks, inputs, process
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.process import Clock, Process
from pipeline.schedule.state import (
    RunInFlight,
    RunResult,
    ScheduleFolder,
    State,
    read_result,
    run_names,
)

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 60, 3_600
LOGS = 30  # of runs, which are kept
_HOOK_SECONDS = 30
_RERUN = " (once more: the run before was cut off)"
_BUSY_POLL_SECONDS = 10


class _Decision(NamedTuple):
    """Whether to run: `trigger` says why, "" for no run; then `message` says why not, and `code` is the exit code."""

    trigger: str
    message: str = ""
    code: int = DONE


@dataclass(frozen=True)
class Retraining:
    """Runs the pipeline when something is new since the last complete run."""

    load_config: Callable[[], Config]  # returns the configuration as it is now
    # returns the command line of a run that starts for a reason
    run_command: Callable[[str], Sequence[str]]
    clock: Clock  # the time
    log: Callable[[str], None]  # shows a line to the user
    folder: ScheduleFolder  # where the state is stored; the caller holds its lock

    def run_if_changed(self, dry_run: bool = False) -> int:
        """Runs the pipeline if anything is new.

        Args:
          dry_run: only say whether a run would start.

        Returns:
          The exit code of the run; `DONE` if nothing is new; `STOPPED` if the scheduler has to stop.
          With `dry_run`, `DONE` if a run would start and `NOTHING_NEW` if not.

        Raises:
          UserError: the configuration or the data is bad, as far as that shows without a run.
        """
        config = None
        try:
            config = self.load_config()
            flight = self.folder.read_state().in_flight
            if flight and not self._finish_earlier_run(config, flight):
                return STOPPED
            now = inputs.snapshot(config)
        except UserError as error:
            self._record_bad_input(config, str(error))
            raise
        state = self.folder.read_state()
        decision = _decide(now, state, config)
        if decision.trigger and dry_run:
            self.log(f"there is something to run: {decision.trigger}")
            return DONE
        if decision.trigger:
            return self._run_with_retries(config, now, decision.trigger)
        self.log(decision.message)
        if decision.code == DONE:
            self._store_new_times(state, now)
            return NOTHING_NEW if dry_run else DONE
        return decision.code

    def _store_new_times(self, state: State, now: Inputs) -> None:
        """Stores new modification times of files with unchanged content: they are not hashed again."""
        if state.done and state.done.inputs:
            updated = inputs.with_times_of(state.done.inputs, now)
            if updated != state.done.inputs:
                self.folder.update_state(done=state.done.model_copy(update={"inputs": updated}))

    def _finish_earlier_run(self, config: Config, flight: RunInFlight) -> bool:
        """Records the end of a run that an earlier scheduler started; waits for it if it still runs.

        A run that left no outcome was cut off and stays in flight. Returns False if the scheduler
        has to stop.
        """
        running = flight.process
        if running and running.is_alive:
            self.log(f"an earlier run still works, as process {running.pid}: waiting for it")
            code, _ = self._wait(config, running.pid, lambda: None if running.is_alive else DONE)
            if code is None:
                return False
        now = self.clock.now()
        result = read_result(self.folder.workdir, flight, now, code=None)
        if result:
            self._conclude(config, result)
        return True

    def _run_with_retries(self, config: Config, now: Inputs, trigger: str) -> int:
        """Runs until the run finishes, the input is bad or no retries are left. Returns the exit code."""
        settings = config.schedule
        started_on = inputs.with_hashes(now, config)
        backoff = FIRST_BACKOFF_SECONDS
        for retries_left in reversed(range(settings.retries + 1)):
            result = self._run_once(config, started_on, trigger)
            if result is None:
                return STOPPED
            if result.is_finished or result.is_bad_input or not retries_left:
                break
            pause = min(backoff, LONGEST_BACKOFF_SECONDS)
            backoff *= 2
            self.log(
                f"failed: {result.reason}; once more in {durations.shown(pause)},"
                f" {retries_left} of {settings.retries} tries left"
            )
            if self.clock.wait(pause):
                return STOPPED
        self._conclude(config, result)
        return result.code

    def _run_once(self, config: Config, started_on: Inputs, trigger: str) -> RunResult | None:
        """Starts a run and waits for its end; None if the scheduler has to stop."""
        workdir = self.folder.workdir
        if not self._wait_until_free(config):
            return None
        log = self.folder.new_log(self.clock.now(), LOGS)
        flight = RunInFlight(
            trigger=trigger,
            began=self.clock.now(),
            log=str(log),
            runs=run_names(workdir),
            versions=tuple(path.name for path in workdir.serving.glob("*")),
            inputs=started_on,
        )
        self.folder.update_state(in_flight=flight)  # first, so that a kill cannot lose the run
        started = process.start(self.run_command(trigger), log)
        flight = flight.model_copy(update={"process": Process.of(started.pid)})
        self.folder.update_state(in_flight=flight)
        self.log(f"run: {trigger} (process {started.pid}, log {log})")
        code, note = self._wait(config, started.pid, started.poll)
        if code is None:
            self.log(f"the run was stopped, and will be done again: {note}")
            return None
        return read_result(workdir, flight, self.clock.now(), code, note)

    def _wait(
        self, config: Config, pid: int, poll: Callable[[], int | None]
    ) -> tuple[int | None, str]:
        limit, grace = map(durations.seconds, (config.schedule.limit, config.schedule.grace))
        return process.wait(pid, poll, limit, grace, self.clock)

    def _wait_until_free(self, config: Config) -> bool:
        """Waits while another run works in the workdir, for as long as a run may take.

        Any other problem with the workdir is left for the run to report. Returns False if the
        scheduler has to stop.
        """
        deadline = self.clock.monotonic() + durations.seconds(config.schedule.limit)
        message_shown = False
        while self.clock.monotonic() < deadline:
            try:
                self.folder.workdir.make()
                with self.folder.workdir.locked():
                    return True
            except BusyError as error:
                if not message_shown:
                    self.log(f"waiting: {error}")
                    message_shown = True
            except UserError:
                return True  # the run reports what is wrong
            if self.clock.wait(_BUSY_POLL_SECONDS):
                return False
        return True

    def _record_bad_input(self, config: Config | None, reason: str) -> None:
        """Records that no run could start, and calls the hook unless it was called for this reason."""
        last = self.folder.read_state().last
        if last and last.is_bad_input and last.reason == reason:
            return
        now = self.clock.now()
        result = RunResult(
            code=BAD_INPUT, event="failure", trigger="", began=now, seconds=0, reason=reason
        )
        self.folder.update_state(last=result)
        if config:
            self._call_hook(config, result)

    def _conclude(self, config: Config, result: RunResult) -> None:
        """Records how a run ended, shows it, and calls the hook."""
        if result.inputs:
            made_from = inputs.with_schema(result.inputs, config)
            result = result.model_copy(update={"inputs": made_from})
        done = {"done": result} if result.is_complete else {}
        self.folder.update_state(in_flight=None, last=result, **done)
        self.log(result.summary())
        self._call_hook(config, result)

    def _call_hook(self, config: Config, result: RunResult) -> None:
        hook = getattr(config.schedule, f"on_{result.event}", None)
        if not hook:
            return
        workdir = self.folder.workdir
        facts = {**result.as_dict(), "name": workdir.name, "workdir": str(workdir.root)}
        problem = hooks.call(hook, facts, _HOOK_SECONDS, self.clock, result.log)
        if problem:
            self.log(f"schedule.on_{result.event}: {problem}")


def _decide(now: Inputs, state: State, config: Config) -> _Decision:
    """Decides whether to run, from what is there now and what earlier runs were started on."""
    done, last = state.done, state.last
    if state.in_flight:
        return _Decision(state.in_flight.trigger.removesuffix(_RERUN) + _RERUN)
    if not (done and done.inputs):
        changes = ("the first run on this schedule",)
    else:
        changes = inputs.changes(now, done.inputs, config)
    if done and not changes:
        return _Decision("", f"nothing new since {done.began:%Y-%m-%d %H:%M:%S}: no run")
    if last and last.is_bad_input and last.inputs and not inputs.changes(now, last.inputs, config):
        failed = f"the run of {last.began:%Y-%m-%d %H:%M:%S} failed: {last.reason}"
        return _Decision("", f"nothing new since {failed}", BAD_INPUT)
    return _Decision("; ".join(changes))
