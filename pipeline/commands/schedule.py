"""`tfx-ner schedule`: start a scheduler, ask whether a run would start, show the status."""

import contextlib
import datetime
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from components.errors import UserError
from components.storage.remote import refuse_address
from pipeline import durations
from pipeline.commands import options

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.schedule.retraining import Retraining
    from pipeline.schedule.scheduler_loop import Times
    from pipeline.schedule.state import ScheduleFolder


class _ScheduleGroup(options.WithDefault):
    """A group that also finds its sub-command behind options, as in `schedule --data DIR look`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for index, word in enumerate(args):
            before = args[index - 1] if index else ""
            is_value = before.startswith("-") and "=" not in before and before != "--once"
            if word in self.commands and not is_value:
                args = [word, *args[:index], *args[index + 1 :]]
                break
        return super().parse_args(ctx, args)


@click.group(cls=_ScheduleGroup)
def schedule() -> None:
    """Run the pipeline whenever there is something new.

    A check compares data, settings and code with those of the last complete run. If nothing has
    changed, no run starts, and one line says so. Each run is a process of its own, with a log in
    WORKDIR/schedule/logs. A failed run is repeated after a pause, unless its data is at fault: then
    only after a change.

    \b
      tfx-ner schedule --data DIR --cron '0 2 * * *'   at two each night, in the machine's time zone
                                                      (another: --set schedule.timezone=UTC)
      tfx-ner schedule --data DIR --once               for cron, systemd, Airflow, Kubernetes
      tfx-ner schedule look --data DIR                 only says whether a run would start, and why
      tfx-ner schedule status                          the schedule, and how the last run ended

    `schedule` without a sub-command is `schedule start`: see `tfx-ner schedule start --help`.
    """


@schedule.command()
@options.run
@click.option("--cron", metavar="TIMES", help="Check at these times, as in crontab: '0 2 * * *'.")
@click.option(
    "--every",
    type=options.Duration(),
    metavar="TIME",
    help="Check now, and then at this interval: 6h, 1h30m.",
)
@click.option("--watch", metavar="DIR", help="Check whenever DIR has new and complete data.")
@click.option("--once", is_flag=True, help="Check once, and exit with the exit code of the run.")
@options.until(
    "With --once, stop the run after this node. The run is then incomplete: the next check runs again."
)
@click.option(
    "--limit",
    type=options.Duration(),
    metavar="TIME",
    help="Stop and repeat a run that takes longer.  [default: 12h]",
)
def start(
    given: options.RunOptions,
    cron: str | None,
    every: int | None,
    watch: str | None,
    once: bool,
    until: str | None,
    limit: int | None,
) -> None:
    """Check on a schedule, and run the pipeline if anything is new.

    The file of --config is read again before each check. Only one scheduler works in a workdir. Times
    that pass during a run, or while the machine is off, are made up for by one check. SIGTERM or
    Ctrl-C stops the scheduler and its run; the next start repeats that run.

    \b
    Exit codes: 0 stopped, or with --once: a model is published, or nothing is new;
    1 a failure, 2 bad input or another scheduler in the workdir, 3 the gate refused the model.
    """
    if limit:
        limited = (*given.assignments, f"schedule.limit={limit}s")
        given = replace(given, assignments=limited)
    settings = given.load()
    # The workdir is locked, even if the file names another one later.
    given = replace(given, workdir=settings.workdir)
    if watch:
        given = replace(given, data=_watched_data(watch, given.data, settings.data))
    if until and not once:
        expected = f"tfx-ner schedule --once --until {until}"
        raise UserError(f"--until {until}: found without --once; expected {expected}")
    zone = _time_zone(settings)
    times = _times(settings, zone, cron, every, watch, once)

    with _locked(given, settings, zone, times.text if times else "once", until) as retraining:
        if times is None:
            sys.exit(retraining.run_if_changed())

        from pipeline.schedule import scheduler_loop

        longest = durations.shown(durations.seconds(settings.schedule.limit))
        retraining.log(f"scheduled: {times.text}; a run may take {longest} at most")
        watched = scheduler_loop.WatchedData(retraining)
        check = watched.check if watch else retraining.run_if_changed
        scheduler_loop.run_on_schedule(retraining, times, check)
        retraining.log("stopped")


@schedule.command()
@options.run
def look(given: options.RunOptions) -> None:
    """Say whether a run would start now, and why.

    Exit codes: 0 a run would start, 4 nothing is new, 1 a failure, 2 bad input.
    """
    settings = given.load()
    with _locked(given, settings, _time_zone(settings), "look") as retraining:
        sys.exit(retraining.run_if_changed(dry_run=True))


@schedule.command()
@options.run
@options.json_file
def status(given: options.RunOptions, json_file: str | None) -> None:
    """Show the schedule, the current run, and how the last run ended."""
    from pipeline.schedule import state

    folder = _schedule_folder(given.load())
    options.refuse_unwritable(json_file)
    if json_file != "-":
        click.echo("\n".join(state.status_lines(folder)))
    options.write_json(state.status_as_dict(folder), json_file)


def _schedule_folder(settings: "Config") -> "ScheduleFolder":
    from pipeline.schedule.state import ScheduleFolder
    from pipeline.workdir import Workdir

    return ScheduleFolder(Workdir(Path(settings.workdir).resolve(), settings.name))


def _time_zone(settings: "Config") -> datetime.tzinfo:
    from pipeline.schedule import scheduler_loop

    return scheduler_loop.time_zone(settings.schedule.timezone)


@contextlib.contextmanager
def _locked(
    given: options.RunOptions,
    settings: "Config",
    zone: datetime.tzinfo,
    schedule_text: str,
    until: str | None = None,
) -> Iterator["Retraining"]:
    """While the context is open, this process is the only scheduler of the workdir."""
    from pipeline.schedule.process import Process, system_clock
    from pipeline.schedule.retraining import Retraining
    from pipeline.schedule.state import LockHolder

    folder = _schedule_folder(settings)
    command = _run_command(given, until)
    with system_clock(zone) as clock:
        holder = LockHolder(process=Process.of(os.getpid()), since=clock.now(), times=schedule_text)
        retraining = Retraining(
            load_config=given.load,
            run_command=lambda trigger: [*command, "--reason", trigger],
            clock=clock,
            log=lambda line: print(f"{clock.now():%Y-%m-%d %H:%M:%S} {line}", flush=True),
            folder=folder,
        )
        with folder.locked(holder):
            yield retraining


def _watched_data(folder: str, data: str | None, set_data: str | None) -> str:
    """The data of `--watch`: the data of the settings if it is in the folder, else the folder itself.

    Args:
      folder: the watched folder.
      data: the value of `--data`.
      set_data: the data of the settings, from `--data` or the configuration file.
    """
    refuse_address("--watch", folder, "Check it on a schedule: --data with --every or --cron")
    if not Path(folder).is_dir():
        problem = "there is no such folder; create it first, and add data later"
        raise UserError(f"--watch {folder}: {problem}")
    if set_data and Path(os.path.abspath(set_data)).is_relative_to(os.path.abspath(folder)):
        return set_data
    if data:
        problem = f"--data {data} is not in it; expected a path in it, or no --data"
        raise UserError(f"--watch {folder}: {problem}")
    return folder


def _times(
    settings: "Config",
    zone: datetime.tzinfo,
    cron: str | None,
    every: int | None,
    watch: str | None,
    once: bool,
) -> "Times | None":
    """When to check; None for `--once`. An option overrides the settings."""
    from pipeline.schedule import scheduler_loop

    choices = {"cron": cron, "every": every, "watch": watch, "once": once}
    chosen = [name for name, value in choices.items() if value]
    if len(chosen) > 1:
        raise UserError(f"found --{' and --'.join(chosen)}; expected one of them")
    if not chosen:
        cron = settings.schedule.cron
        every = durations.seconds(settings.schedule.every) if settings.schedule.every else None
        if bool(cron) == bool(every):
            problem = "both schedule.cron and schedule.every" if cron else "no time"
            raise UserError(f"found {problem}; expected one of --cron, --every, --watch and --once")
    if watch:
        return scheduler_loop.every(durations.seconds(settings.schedule.poll), watch)
    if cron:
        return scheduler_loop.cron(cron, zone)
    return scheduler_loop.every(every) if every else None


def _run_command(given: options.RunOptions, until: str | None) -> list[str]:
    """The command line of a run. Settings of the schedule are left out: they may hold secrets."""
    command = [sys.executable, "-m", "pipeline.cli", "run"]
    for name, value in {
        "data": given.data,
        "workdir": given.workdir,
        "orchestrator": given.orchestrator,
        "until": until,
        "config": given.config_file,
    }.items():
        command += [f"--{name}", value] if value is not None else []
    passed_on = (text for text in given.assignments if not text.startswith("schedule."))
    return [*command, *(f"--set={text}" for text in passed_on)]
