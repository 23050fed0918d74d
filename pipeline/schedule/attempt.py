"""One turn of the scheduler: is there anything new, and if so, a run, once more where that can help, and word to whoever waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

from components.errors import UserError
from pipeline import durations
from pipeline.config import Config
from pipeline.exits import BAD_INPUT, DONE, NOTHING_NEW, STOPPED
from pipeline.schedule import child, hooks, inputs, run_result
from pipeline.schedule.clock import Clock
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.places import Places
from pipeline.schedule.processes import Process
from pipeline.schedule.state import Ended, Flight, State, read, write
from pipeline.workdir import HELD

LONGEST_BACKOFF = 3_600  # seconds
_AGAIN = " (once more: the run before was cut off)"
_WAIT_FOR_OTHERS = 10  # seconds between two looks whether the work folder is free


@dataclass(frozen=True)
class Job:
    """What is scheduled.

    `load` reads the configuration as it is now, `command` gives the command line of a run that starts for a reason, `say`
    tells the user a line.
    """

    load: Callable[[], Config]
    command: Callable[[str], Sequence[str]]
    clock: Clock
    say: Callable[[str], None]


def turn(job: Job, places: Places, only_look: bool = False) -> int:
    """Runs if there is anything new, and returns the exit code: that of the run, `DONE` where there was nothing to do,
    `STOPPED` if the scheduler was told to end meanwhile. With `only_look` it does not run: `DONE` where it would,
    `NOTHING_NEW` where there is nothing to do.

    Raises:
      UserError: the configuration or the data is bad, as far as can be seen without a run.
    """
    config = None
    state = read(places.state)
    try:
        config = job.load()
        if state.flight and not _land(job, places, config, state.flight):
            return STOPPED
        state = read(places.state)
        now = inputs.look(config)
    except UserError as error:
        _note_bad_input(job, places, config, str(error))
        raise
    because, why_not, code = _decide(now, state, config)
    if not because:
        job.say(why_not)
        if code == DONE:
            _keep_times(places, state, now)
        return NOTHING_NEW if only_look and code == DONE else code
    if only_look:
        job.say(f"there is something to run: {because}")
        return DONE
    return _run(job, places, config, now, because)


def _decide(now: Inputs, state: State, config: Config) -> tuple[str, str, int]:
    """Why to run, "" for no run; then why not, and the exit code that goes with it."""
    done, last = state.done, state.last
    if state.flight:
        return f"{state.flight.because.removesuffix(_AGAIN)}{_AGAIN}", "", DONE
    new = inputs.changes(now, done.inputs, config) if done else ("the first run on this schedule",)
    if not new:
        return "", f"nothing new since {done.began:%Y-%m-%d %H:%M:%S}: no run", DONE
    if last and last.bad_input and last.inputs and not inputs.changes(now, last.inputs, config):
        return (
            "",
            f"nothing new since the run of {last.began:%Y-%m-%d %H:%M:%S} failed: {last.reason}",
            BAD_INPUT,
        )
    return "; ".join(new), "", DONE


def _keep_times(places: Places, state: State, now: Inputs) -> None:
    """Keeps new times of files that are what they were, so that they need not be read again."""
    seen = inputs.as_seen(state.done.inputs, now)
    if seen != state.done.inputs:
        write(
            state.model_copy(update={"done": state.done.model_copy(update={"inputs": seen})}),
            places.state,
        )


def _land(job: Job, places: Places, config: Config, flight: Flight) -> bool:
    """Deals with a run that an earlier scheduler started and did not see the end of: waits for it where it still runs, and
    takes over what came of it. What was cut off stays in flight. False if the scheduler was told to end meanwhile.
    """
    process = flight.process
    if process and process.alive:
        job.say(f"a run of before is still at work, as process {process.pid}: waiting for it")
        code, _ = child.wait(
            process.pid, lambda: None if process.alive else DONE, _limits(config), job.clock
        )
        if code is None:
            return False
    run, found = child.outcome(places.workdir, flight.runs)
    if found:
        code = child.code_of(found)
        _conclude(
            job, places, config, run_result.ended(flight, job.clock.now(), code, "", run, found)
        )
    return True


def _run(job: Job, places: Places, config: Config, now: Inputs, because: str) -> int:
    """Runs, again and again where that can help, and returns the last exit code."""
    settings = config.schedule
    made_from = inputs.read(now, config)
    for left in reversed(range(settings.retries + 1)):
        ended = _try(job, places, config, made_from, because)
        if ended is None:
            return STOPPED
        if ended.finished or ended.bad_input or not left:
            break
        pause = min(
            durations.seconds(settings.backoff) * 2 ** (settings.retries - left), LONGEST_BACKOFF
        )
        again = f"once more in {durations.shown(pause)}, {left} of {settings.retries} tries left"
        job.say(f"failed: {ended.reason}; {again}")
        if job.clock.wait(pause):
            return STOPPED
    _conclude(job, places, config, ended)
    return ended.code


def _try(
    job: Job, places: Places, config: Config, made_from: Inputs, because: str
) -> Optional[Ended]:
    """Runs once, and returns how that ended; None if the scheduler was told to end meanwhile."""
    clock, workdir = job.clock, places.workdir
    if not _wait_until_free(job, places, config):
        return None
    log = places.new_log(clock.now(), config.schedule.keep_logs)
    versions = tuple(path.name for path in workdir.serving.glob("*"))
    flight = Flight(
        because=because,
        began=clock.now(),
        log=str(log),
        runs=child.runs(workdir),
        versions=versions,
        inputs=made_from,
    )
    _update(places, flight=flight)  # before it starts: whatever happens then, there was a run
    process = child.start(job.command(because), log)
    _update(places, flight=flight.model_copy(update={"process": Process.of(process.pid)}))
    job.say(f"run: {because} (process {process.pid}, log {log})")
    code, note = child.wait(process.pid, process.poll, _limits(config), clock)
    if code is None:
        job.say(f"the run was ended, and will be done again: {note}")
        return None
    return run_result.ended(flight, clock.now(), code, note, *child.outcome(workdir, flight.runs))


def _wait_until_free(job: Job, places: Places, config: Config) -> bool:
    """Waits until no other run, as one started by hand, holds the work folder, for as long as a run may take at most; what
    is amiss then, the run itself tells. False if the scheduler was told to end meanwhile.
    """
    until, told = job.clock.steady() + durations.seconds(config.schedule.limit), False
    while job.clock.steady() < until:
        try:
            places.workdir.make()
            with places.workdir.locked():
                return True
        except UserError as error:
            if HELD not in str(error):
                return True
            if not told:
                job.say(f"waiting: {error}")
                told = True
        if job.clock.wait(_WAIT_FOR_OTHERS):
            return False
    return True


def _note_bad_input(job: Job, places: Places, config: Optional[Config], reason: str) -> None:
    """Keeps that there can be no run, and says so to whoever waits unless that was said before."""
    last = read(places.state).last
    if last and last.bad_input and last.reason == reason:
        return
    now = job.clock.now()
    ended = Ended(code=BAD_INPUT, event="failure", because="", began=now, seconds=0, reason=reason)
    _update(places, last=ended)
    if config:
        _tell(job, places, config, ended)


def _conclude(job: Job, places: Places, config: Config, ended: Ended) -> None:
    """Keeps how a run ended, and says so."""
    ended = ended.model_copy(update={"inputs": inputs.with_contract(ended.inputs, config)})
    _update(places, flight=None, last=ended, **({"done": ended} if ended.whole else {}))
    job.say(run_result.summary(ended))
    _tell(job, places, config, ended)


def _tell(job: Job, places: Places, config: Config, ended: Ended) -> None:
    hook = getattr(config.schedule, f"on_{ended.event}", None)
    if not hook:
        return
    facts = {
        **run_result.as_dict(ended),
        "name": places.workdir.name,
        "workdir": str(places.workdir.root),
    }
    problem = hooks.call(
        hook, facts, durations.seconds(config.schedule.hook_timeout), job.clock, ended.log
    )
    if problem:
        job.say(f"schedule.on_{ended.event}: {problem}")


def _limits(config: Config) -> child.Limits:
    return child.Limits(
        durations.seconds(config.schedule.limit), durations.seconds(config.schedule.grace)
    )


def _update(places: Places, **changed) -> State:
    state = read(places.state).model_copy(update=changed)
    write(state, places.state)
    return state
