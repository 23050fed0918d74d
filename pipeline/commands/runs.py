"""`tfx-ner runs`."""

import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console

from pipeline.commands import options
from pipeline.exits import DONE, FAILED

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.workdir import Workdir


@click.group(cls=options.WithDefault)
def runs() -> None:
    """Show the runs, check that metadata and files agree, and remove old artifacts.

    `tfx-ner runs` lists the runs, and `tfx-ner runs RUN` shows one: RUN is the beginning of its name.
    """


@runs.command()
@click.argument("run", required=False)
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N runs.")
@options.json_file
@options.workdir
def show(
    run: str | None, last: int | None, json_file: str | None, work: "Workdir", settings: "Config"
) -> None:
    """List the runs, newest last, or show one.

    One run is shown with its inputs, the settings changed since the run before, its nodes, scores
    and reasons.
    """
    from pipeline.history import runs as history
    from pipeline.history import tables

    store = options.open_metadata(work, settings)
    recorded = history.load_runs(store, work)
    screen = Console(highlight=False)
    if run is None:
        recorded = recorded[-last:] if last else recorded
        if json_file != "-":
            tables.show_runs(screen, recorded)
        options.write_json({"runs": [entry.as_dict() for entry in recorded]}, json_file)
        return
    shown = history.find_run(recorded, run)
    earlier = history.previous_run(recorded, shown)
    nodes = history.load_nodes(store, shown)
    changed = history.changed_settings(work, earlier, shown) if earlier else {}
    if json_file != "-":
        tables.show_run(screen, shown, nodes, earlier, changed, work.runs / shown.name)
    figures = {
        **shown.as_dict(),
        "nodes": nodes,
        "before_it": earlier.name if earlier else None,
        "changed_settings": {
            key: {"before": old, "now": new} for key, (old, new) in changed.items()
        },
    }
    options.write_json(figures, json_file)


@runs.command()
@options.json_file
@options.workdir
def verify(json_file: str | None, work: "Workdir", settings: "Config") -> None:
    """Check that metadata and files agree.

    Checks artifacts, runs, published versions, labels and the lock, and says what to do about each
    fault. If the workdir was moved or copied, the paths in its metadata are updated first. Exits
    with 1 if there are faults.
    """
    from pipeline.history.verify import verify as find_faults

    result = find_faults(options.open_metadata(work, settings, update_paths=True), work)
    if json_file != "-":
        for fault in result.faults:
            print(f"{fault.what}. {fault.advice}")
        for folder in result.set_aside:
            print(f"{folder}: files of unknown origin; `tfx-ner runs prune` removes them later")
        print(
            f"checked {result.artifacts:,} artifacts, {result.runs:,} runs and"
            f" {result.versions:,} versions: {len(result.faults) or 'no'}"
            f" fault{'s' if len(result.faults) != 1 else ''}"
        )
    options.write_json(result.as_dict(), json_file)
    sys.exit(FAILED if result.faults else DONE)


@runs.command()
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    required=True,
    metavar="N",
    help="Keep the artifacts of the last N runs.",
)
@click.option(
    "--older-than",
    "age",
    type=options.Duration(),
    default=0,
    metavar="AGE",
    help="Prune only runs older than this, as 30d or 12h.",
)
@options.json_file
@options.workdir
def prune(keep: int, age: int, json_file: str | None, work: "Workdir", settings: "Config") -> None:
    """Remove the artifacts of old runs.

    Keeps the artifacts of the last N runs, and all from which published or withdrawn models were
    made. The runs stay in the history. Files of unknown origin in WORKDIR/set-aside are removed
    after keep.set_aside_days.
    """
    from pipeline.history import cleanup

    store = options.open_metadata(work, settings, update_paths=True)
    with work.locked():
        cleanup.clean_up(store, work)
        removed = cleanup.prune(store, work, keep, age, settings.keep.set_aside_days)
    if json_file != "-":
        print(f"removed {len(removed.artifacts):,} artifacts, {removed.bytes / 1e6:,.1f} MB")
        for folder in removed.set_aside:
            print(f"removed {folder}, files of unknown origin")
    options.write_json(removed.as_dict(), json_file)
