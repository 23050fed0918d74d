"""`tfx-ner schedule`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import click

from components.errors import UserError
from components.storage.remote import refuse_address
from pipeline.commands import options
from pipeline.exits import DONE

if TYPE_CHECKING:
    import datetime

    from pipeline.config import Config
    from pipeline.schedule.times import Times


@click.command()
@click.argument(
    "action", type=click.Choice(["look", "status"]), required=False, metavar="[look|status]"
)
@click.option(
    "--data",
    metavar="PATH",
    help="Labelled text, as run takes it; the starter corpus if not given.",
)
@click.option(
    "--config", "config_file", metavar="FILE", help="Settings as YAML, read anew each time."
)
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="One setting, as in schedule.retries=5; may be given again.",
)
@click.option(
    "--workdir", metavar="DIR", help="Folder for everything the runs make; ./work if not given."
)
@click.option("--orchestrator", type=click.Choice(["beam", "local"]), help="As run takes it.")
@click.option(
    "--cron", metavar="TIMES", help="Look at these times, written as for crontab: '0 2 * * *'."
)
@click.option("--every", metavar="TIME", help="Look at once, and then so often: 6h, 1h30m.")
@click.option("--watch", metavar="DIR", help="Look whenever data in DIR is new and whole.")
@click.option("--once", is_flag=True, help="Look once, and end with the exit code of the run.")
@options.until(
    "With --once, the run stops after this step. It does not count as a whole one: what is new stays new."
)
@click.option("--limit", metavar="TIME", help="The longest that a run may take; 12h if not given.")
@options.json_file
def schedule(
    action: Optional[str],
    data: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
    workdir: Optional[str],
    orchestrator: Optional[str],
    cron: Optional[str],
    every: Optional[str],
    watch: Optional[str],
    once: bool,
    until: Optional[str],
    limit: Optional[str],
    json_file: Optional[str],
) -> None:
    """Run the pipeline whenever there is something new.

    A look compares data, configuration and code with those of the last run that came to its end. Where nothing is new there
    is no run, and a line says so. A run is a process of its own, with a log in WORKDIR/schedule/logs. One that fails is
    tried again a little later, unless the data is at fault: then not before something has changed.

    There is one scheduler at a time in a workdir. Times that pass while a run is at work, or the machine is off, are made
    up for by one look. It runs until Ctrl-C or SIGTERM, which end a run at work too; the next start does that run again.

    \b
      tfx-ner schedule --data DIR --cron '0 2 * * *'   at two each night, by the machine's time zone
                                                      (another: --set schedule.timezone=UTC)
      tfx-ner schedule --data DIR --once               for cron, systemd, Airflow, Kubernetes
      tfx-ner schedule look --data DIR                 only says whether a run would start, and why
      tfx-ner schedule status                          what is scheduled, and how the last run ended

    \b
    Exit codes: 0 told to end, or with --once: a model is published, or nothing is new;
    1 a failure, 2 bad input or another scheduler at work here, 3 the gate let nothing through.
    look: 0 a run would start, 4 nothing is new.
    """
    from pipeline import config

    given = (*assignments, f"schedule.limit={limit}") if limit else assignments
    _refuse_bad_times(limit=limit, every=every)
    overrides = {"data": data, "workdir": workdir, "orchestrator": orchestrator}
    settings = config.load(config_file, given, overrides)
    overrides["workdir"] = settings.workdir  # that one is held, whatever the file says later
    if watch:
        overrides["data"] = _watched(watch, data, settings.data)

    from pipeline.schedule import places
    from pipeline.workdir import Workdir

    place = places.Places(Workdir(Path(settings.workdir).resolve(), settings.name))
    if action == "status":
        _status(place, json_file)
        return
    if json_file:
        raise UserError(
            "--json: found without status; expected tfx-ner schedule status --json FILE"
        )

    from pipeline.schedule import processes
    from pipeline.schedule import times as when
    from pipeline.schedule.attempt import Job, turn
    from pipeline.schedule.clock import system_clock

    zone = when.zone(settings.schedule.timezone)
    times = _times(settings, zone, cron, every, watch, once, action == "look")
    if until and not once:
        raise UserError(
            f"--until {until}: found without --once; expected tfx-ner schedule --once --until {until}"
        )
    command = _command({**overrides, "until": until}, config_file, assignments)
    with system_clock(zone) as clock:

        def say(line: str) -> None:
            print(f"{clock.now():%Y-%m-%d %H:%M:%S} {line}", flush=True)

        job = Job(
            load=lambda: config.load(config_file, given, overrides),
            command=lambda because: [*command, "--because", because],
            clock=clock,
            say=say,
        )
        holder = places.Holder(
            process=processes.Process.of(os.getpid()),
            since=clock.now(),
            times=times.text if times else "once",
        )
        with place.held(holder):
            if times is None:
                code = turn(job, place, only_look=action == "look")
            else:
                from pipeline.schedule import scheduler_loop

                say(f"scheduled: {times.text}; a run gets {settings.schedule.limit} at most")
                scheduler_loop.keep(
                    job,
                    place,
                    times,
                    scheduler_loop.Watcher(job, place).look if watch else lambda: turn(job, place),
                )
                say("told to end")
                code = DONE
    sys.exit(code)


def _refuse_bad_times(**given: Optional[str]) -> None:
    from pipeline import durations

    for name, text in given.items():
        try:
            if text is not None:
                durations.seconds(text)
        except ValueError as error:
            raise UserError(f"--{name} {text}: {error}") from None


def _watched(folder: str, data: Optional[str], set_data: Optional[str]) -> str:
    """The data that is watched: what is named, if it lies in the folder, else the folder itself."""
    refuse_address("--watch", folder, "Look there by the clock: --data with --every or --cron")
    if not Path(folder).is_dir():
        raise UserError(
            f"--watch {folder}: there is no such folder; make it first, and bring data into it later"
        )
    inside = set_data and Path(os.path.abspath(set_data)).is_relative_to(os.path.abspath(folder))
    if data and not inside:
        raise UserError(
            f"--watch {folder}: --data {data} lies elsewhere; expected it there, or left out"
        )
    return set_data if inside else folder


def _times(
    settings: "Config",
    zone: "datetime.tzinfo",
    cron: Optional[str],
    every: Optional[str],
    watch: Optional[str],
    once: bool,
    look: bool,
) -> Optional["Times"]:
    """When to look, None for once. What the command line says goes before what the settings say."""
    from pipeline import durations
    from pipeline.schedule import times

    named = [
        name
        for name, value in (("cron", cron), ("every", every), ("watch", watch), ("once", once))
        if value
    ]
    if look:
        if named:
            raise UserError(
                f"look: found --{named[0]} beside it; expected it to look now, and once"
            )
        return None
    if len(named) > 1:
        raise UserError(f"found --{' and --'.join(named)}; expected one of them")
    if not named:
        cron, every = settings.schedule.cron, settings.schedule.every
        if bool(cron) == bool(every):
            found = "both schedule.cron and schedule.every" if cron else "no time"
            raise UserError(f"found {found}; expected one of --cron, --every, --watch and --once")
    if watch:
        return times.Every(durations.seconds(settings.schedule.poll), watched=watch)
    if cron:
        return times.cron(cron, zone)
    return times.Every(durations.seconds(every)) if every else None


def _command(
    overrides: dict[str, Optional[str]], config_file: Optional[str], assignments: Sequence[str]
) -> list[str]:
    """The command line of a run: the same settings, less those that it has no use for, which hold secrets perhaps."""
    command = [sys.executable, "-m", "pipeline.cli", "run"]
    for name, value in {**overrides, "config": config_file}.items():
        command += [f"--{name}", value] if value is not None else []
    return [*command, *(f"--set={one}" for one in assignments if not one.startswith("schedule."))]


def _status(place, json_file: Optional[str]) -> None:
    from pipeline.schedule import status

    options.refuse_unwritable(json_file)
    if json_file != "-":
        click.echo("\n".join(status.lines(place)))
    options.write_json(status.as_dict(place), json_file)
