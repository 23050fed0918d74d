"""`tfx-ner runs`."""

import sys
from typing import Optional

import click
from rich.console import Console

from components.errors import UserError
from pipeline import durations
from pipeline.commands import options
from pipeline.exits import DONE, FAILED


@click.group(cls=options.WithDefault)
def runs() -> None:
    """Show what ran, why, and what came of it; check that metadata and files agree; remove what is old.

    `tfx-ner runs` lists the runs, and `tfx-ner runs RUN` shows one: RUN is the beginning of its name.
    """


@runs.command()
@click.argument("run", required=False)
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N runs.")
@options.json_file
@options.place
def show(
    run: Optional[str],
    last: Optional[int],
    json_file: Optional[str],
    workdir: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """List the runs, newest last, or show one.

    One run is shown with its inputs, what changed since the run before, its nodes, scores and reasons.
    """
    options.refuse_unwritable(json_file)
    place, store = _opened(workdir, config_file, assignments)

    from pipeline.history import runs as history
    from pipeline.history import tables

    found = history.runs(store, place)
    screen = Console(highlight=False)
    if run is None:
        found = found[-last:] if last else found
        if json_file != "-":
            tables.show_runs(screen, found)
        options.write_json({"runs": [one.as_dict() for one in found]}, json_file)
        return
    one = history.named(found, run)
    earlier = history.before(found, one)
    nodes = history.nodes(store, one)
    changed = history.changed_settings(place, earlier, one) if earlier else {}
    if json_file != "-":
        tables.show_run(screen, one, nodes, earlier, changed, place.runs / one.name)
    figures = {
        **one.as_dict(),
        "nodes": nodes,
        "before_it": earlier.name if earlier else None,
        "changed_settings": {
            key: {"before": old, "now": new} for key, (old, new) in changed.items()
        },
    }
    options.write_json(figures, json_file)


@runs.command()
@options.json_file
@options.place
def verify(
    json_file: Optional[str],
    workdir: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """Check that metadata and files agree.

    Looks at artifacts, runs, published versions, labels and the lock; says what does not agree and what to do. Ends with 1
    if there is anything.
    """
    options.refuse_unwritable(json_file)
    place, store = _opened(workdir, config_file, assignments)

    from pipeline.history.verify import verify as find_faults

    report = find_faults(store, place)
    if json_file != "-":
        for fault in report.faults:
            print(f"{fault.what}. {fault.advice}")
        print(
            f"{report.artifacts:,} artifacts, {report.runs:,} runs and {report.versions:,} versions looked at:"
            f" {len(report.faults) or 'nothing'} amiss"
        )
    options.write_json(report.as_dict(), json_file)
    sys.exit(FAILED if report.faults else DONE)


@runs.command()
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    required=True,
    metavar="N",
    help="The last N runs keep what they need.",
)
@click.option(
    "--older-than", metavar="AGE", help="Of the others, only runs older than this, as 30d or 12h."
)
@options.json_file
@options.place
def prune(
    keep: int,
    older_than: Optional[str],
    json_file: Optional[str],
    workdir: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """Remove the artifacts of old runs.

    What nothing kept needs goes; what the last runs, and the models that are published or withdrawn, were made from stays.
    The runs stay in the history.
    """
    options.refuse_unwritable(json_file)
    try:
        age = durations.seconds(older_than) if older_than else 0
    except ValueError as error:
        raise UserError(f"--older-than {older_than}: {error}") from None
    place, store = _opened(workdir, config_file, assignments)

    from pipeline.history import prune as pruning

    with place.locked():
        removed = pruning.prune(store, place, keep, age)
    if json_file != "-":
        print(f"removed {len(removed.artifacts):,} artifacts, {removed.bytes / 1e6:,.1f} MB")
    options.write_json(removed.as_dict(), json_file)


def _opened(workdir: Optional[str], config_file: Optional[str], assignments: tuple[str, ...]):
    from pipeline import metadata_store
    from pipeline.history import place

    found, settings = place.find(workdir, config_file, assignments)
    if settings.metadata.kind == "sqlite" and not found.metadata.exists():
        raise UserError(
            f"{found.root}: no run has been recorded here; name the work folder of one with --workdir"
        )
    return found, metadata_store.opened(metadata_store.connection(settings.metadata, found))
