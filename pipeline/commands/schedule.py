"""`tfx-ner schedule`: start a scheduler, ask whether a run would start, show the status."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.errors import UserError
from components.storage.remote import refuse_address
from pipeline.commands import options
from pipeline.exits import DONE

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.schedule.process import Clock
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


def _run_options(command: Callable) -> Callable:
    """The options of a run that are passed on to it."""
    for option in (
        click.option("--orchestrator", type=click.Choice(["beam", "local"]), help="As for `run`."),
        click.option(
            "--workdir",
            metavar="DIR",
            help="Folder for everything the runs make; ./work if not given.",
        ),
        click.option(
            "--set",
            "assignments",
            metavar="KEY=VALUE",
            multiple=True,
            help="One setting, as in schedule.retries=5; may be repeated.",
        ),
        click.option(
            "--config",
            "config_file",
            metavar="FILE",
            help="Settings as YAML; the file is read again before each check.",
        ),
        click.option(
            "--data",
            metavar="PATH",
            help="Labelled text, as for `run`; the starter corpus if not given.",
        ),
    ):
        command = option(command)
    return command


@click.group(cls=_ScheduleGroup)
def schedule() -> None:
    """Run the pipeline whenever there is something new.

    A check compares data, settings and code with those of the last complete run. If nothing has changed, no run starts, and a
    line says so. A run is a process of its own, with a log in WORKDIR/schedule/logs. A run that fails is repeated a little
    later, unless the data is at fault: then only after a change.

    \b
      tfx-ner schedule --data DIR --cron '0 2 * * *'   at two each night, in the machine's time zone
                                                      (another: --set schedule.timezone=UTC)
      tfx-ner schedule --data DIR --once               for cron, systemd, Airflow, Kubernetes
      tfx-ner schedule look --data DIR                 only says whether a run would start, and why
      tfx-ner schedule status                          the schedule, and how the last run ended

    `schedule` without a sub-command is `schedule start`: see `tfx-ner schedule start --help`.
    """


@schedule.command()
@_run_options
@click.option("--cron", metavar="TIMES", help="Check at these times, as in crontab: '0 2 * * *'.")
@click.option(
    "--every", metavar="TIME", help="Check at once, and then at this interval: 6h, 1h30m."
)
@click.option("--watch", metavar="DIR", help="Check whenever DIR has new and complete data.")
@click.option("--once", is_flag=True, help="Check once, and end with the exit code of the run.")
@options.until(
    "With --once, stop the run after this step. Such a run is not complete: what is new stays new."
)
@click.option("--limit", metavar="TIME", help="Longest time that a run may take.  [default: 12h]")
def start(
    data: str | None,
    config_file: str | None,
    assignments: tuple[str, ...],
    workdir: str | None,
    orchestrator: str | None,
    cron: str | None,
    every: str | None,
    watch: str | None,
    once: bool,
    until: str | None,
    limit: str | None,
) -> None:
    """Check on a schedule, and run the pipeline if anything is new.

    Only one scheduler works in a workdir. Times that pass during a run, or while the machine is off, are made up for by one
    check. SIGTERM or Ctrl-C stops the scheduler and its run; the next start repeats that run.

    \b
    Exit codes: 0 stopped, or with --once: a model is published, or nothing is new;
    1 a failure, 2 bad input or another scheduler in the workdir, 3 the gate refused the model.
    """
    from pipeline import config

    for name, value in (("limit", limit), ("every", every)):
        _refuse_bad_duration(name, value)
    given = (*assignments, f"schedule.limit={limit}") if limit else assignments
    overrides = {"data": data, "workdir": workdir, "orchestrator": orchestrator}
    settings = config.load(config_file, given, overrides)
    overrides["workdir"] = settings.workdir  # it is locked, even if the file names another later
    if watch:
        overrides["data"] = _watched_data(watch, data, settings.data)
    if until and not once:
        expected = f"tfx-ner schedule --once --until {until}"
        raise UserError(f"--until {until}: found without --once; expected {expected}")

    from pipeline.schedule import scheduler_loop

    zone = scheduler_loop.time_zone(settings.schedule.timezone)
    times = _times(settings, zone, cron, every, watch, once)
    command = _run_command({**overrides, "until": until}, config_file, assignments)

    def check(retraining: "Retraining") -> int:
        if times is None:
            return retraining.run_if_changed()
        limit = settings.schedule.limit
        retraining.log(f"scheduled: {times.text}; a run may take {limit} at most")
        watched = scheduler_loop.WatchedData(retraining)
        check_once = watched.check if watch else retraining.run_if_changed
        scheduler_loop.run_on_schedule(retraining, times, check_once)
        retraining.log("stopped")
        return DONE

    def load() -> "Config":
        return config.load(config_file, given, overrides)

    sys.exit(_with_lock(settings, zone, load, command, times.text if times else "once", check))


@schedule.command()
@_run_options
def look(
    data: str | None,
    config_file: str | None,
    assignments: tuple[str, ...],
    workdir: str | None,
    orchestrator: str | None,
) -> None:
    """Say whether a run would start now, and why.

    Exit codes: 0 a run would start, 4 nothing is new, 1 a failure, 2 bad input.
    """
    from pipeline import config
    from pipeline.schedule import scheduler_loop

    overrides = {"data": data, "workdir": workdir, "orchestrator": orchestrator}
    settings = config.load(config_file, assignments, overrides)
    sys.exit(
        _with_lock(
            settings,
            scheduler_loop.time_zone(settings.schedule.timezone),
            lambda: settings,
            [],
            "look",
            lambda retraining: retraining.run_if_changed(dry_run=True),
        )
    )


@schedule.command()
@click.option("--data", hidden=True, expose_value=False)
@click.option("--orchestrator", hidden=True, expose_value=False)
@options.json_file
@options.place
def status(
    json_file: str | None,
    workdir: str | None,
    config_file: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Show the schedule, the run at work, and how the last run ended."""
    from pipeline import config
    from pipeline.schedule import status as schedule_status

    settings = config.load(config_file, assignments, {"workdir": workdir})
    folder = _schedule_folder(settings)
    options.refuse_unwritable(json_file)
    if json_file != "-":
        click.echo("\n".join(schedule_status.lines(folder)))
    options.write_json(schedule_status.as_dict(folder), json_file)


def _schedule_folder(settings: "Config") -> "ScheduleFolder":
    from pipeline.schedule.state import ScheduleFolder
    from pipeline.workdir import Workdir

    return ScheduleFolder(Workdir(Path(settings.workdir).resolve(), settings.name))


def _with_lock(
    settings: "Config",
    zone: Any,
    load_config: "Callable[[], Config]",
    command: Sequence[str],
    schedule_text: str,
    check: "Callable[[Retraining], int]",
) -> int:
    """Calls `check` while this process is the only scheduler of the workdir. Returns its exit code."""
    from pipeline.schedule.process import Process, system_clock
    from pipeline.schedule.retraining import Retraining
    from pipeline.schedule.state import LockHolder

    folder = _schedule_folder(settings)
    with system_clock(zone) as clock:
        holder = LockHolder(process=Process.of(os.getpid()), since=clock.now(), times=schedule_text)
        retraining = Retraining(
            load_config=load_config,
            run_command=lambda trigger: [*command, "--reason", trigger],
            clock=clock,
            log=lambda line: _log(clock, line),
            folder=folder,
        )
        with folder.locked(holder):
            return check(retraining)


def _log(clock: "Clock", line: str) -> None:
    print(f"{clock.now():%Y-%m-%d %H:%M:%S} {line}", flush=True)


def _refuse_bad_duration(option: str, text: str | None) -> None:
    from pipeline import durations

    try:
        if text is not None:
            durations.seconds(text)
    except ValueError as error:
        raise UserError(f"--{option} {text}: {error}") from None


def _watched_data(folder: str, data: str | None, set_data: str | None) -> str:
    """The data of `--watch`: the data of the settings if it is in the folder, else the folder itself.

    Args:
      folder: The watched folder.
      data: The value of `--data`.
      set_data: The data of the settings, from `--data` or the configuration file.
    """
    refuse_address("--watch", folder, "Check it on a schedule: --data with --every or --cron")
    if not Path(folder).is_dir():
        raise UserError(
            f"--watch {folder}: there is no such folder; create it first, and add data later"
        )
    if set_data and Path(os.path.abspath(set_data)).is_relative_to(os.path.abspath(folder)):
        return set_data
    if data:
        raise UserError(
            f"--watch {folder}: --data {data} is not in it; expected a path in it, or no --data"
        )
    return folder


def _times(
    settings: "Config",
    zone: Any,
    cron: str | None,
    every: str | None,
    watch: str | None,
    once: bool,
) -> "Times | None":
    """When to check; None for `--once`. An option wins over the settings."""
    from pipeline import durations
    from pipeline.schedule import scheduler_loop

    choices = {"cron": cron, "every": every, "watch": watch, "once": once}
    given = [name for name, value in choices.items() if value]
    if len(given) > 1:
        raise UserError(f"found --{' and --'.join(given)}; expected one of them")
    if not given:
        cron, every = settings.schedule.cron, settings.schedule.every
        if bool(cron) == bool(every):
            found = "both schedule.cron and schedule.every" if cron else "no time"
            raise UserError(f"found {found}; expected one of --cron, --every, --watch and --once")
    if watch:
        return scheduler_loop.watch(watch, durations.seconds(settings.schedule.poll))
    if cron:
        return scheduler_loop.cron(cron, zone)
    return scheduler_loop.every(durations.seconds(every)) if every else None


def _run_command(
    overrides: dict[str, str | None], config_file: str | None, assignments: Sequence[str]
) -> list[str]:
    """The command line of a run. Settings of the schedule are left out: they may hold secrets."""
    command = [sys.executable, "-m", "pipeline.cli", "run"]
    for name, value in {**overrides, "config": config_file}.items():
        command += [f"--{name}", value] if value is not None else []
    passed_on = (one for one in assignments if not one.startswith("schedule."))
    return [*command, *(f"--set={assignment}" for assignment in passed_on)]
