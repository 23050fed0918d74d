"""`tfx-ner models`."""

import contextlib
import datetime
import getpass
from typing import Optional

import click
from rich.console import Console

from components.errors import UserError
from pipeline.commands import options

_version = click.argument("version", type=click.IntRange(min=1), required=False)


@click.group(cls=options.WithDefault)
def models() -> None:
    """Show what is published, and roll back, promote or remove versions.

    After a rollback no run puts a version live: runs go on, and the versions that they publish are
    withdrawn until `promote` puts one of them live or `release` lets the next one through.
    """


@models.command("list")
@_version
@options.json_file
@options.place
def show(
    version: Optional[int],
    json_file: Optional[str],
    workdir: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """List the versions, or show one.

    One version is shown with its origin: hashes of data, configuration and code, packages, scores.
    """
    options.refuse_unwritable(json_file)
    place, settings = _place(workdir, config_file, assignments)
    with contextlib.suppress(UserError), place.locked():
        pass  # the lock brings a folder of an earlier release up to date; a run that holds it did

    from components.publishing import hold
    from pipeline.history import lookup, tables
    from pipeline.history import models as history

    found = history.load_models(lookup.open_to_read(place, settings), place)
    held = hold.load(place.withdrawn)
    if version is not None:
        found = [one for one in found if one.version == version]
        if not found:
            known = ", ".join(map(str, place.versions.all)) or "none"
            raise UserError(f"there is no version {version}; there are {known}")
    if json_file != "-":
        screen = Console(highlight=False)
        if version is None:
            tables.show_models(screen, found, held)
        else:
            tables.show_model(screen, found[0])
    options.write_json(
        {"hold": vars(held) if held else None, "models": [one.as_dict() for one in found]},
        json_file,
    )


@models.command()
@_version
@options.reason("Why, for `models list` and the next runs.")
@options.place
def rollback(
    version: Optional[int],
    reason: str,
    workdir: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """Let an earlier version serve.

    Without VERSION the newest step is taken back: the canary is dropped; without a canary the next
    lower version serves. Higher versions are withdrawn, and no run puts a version live until `promote`
    or `release`.
    """
    from components.publishing import changes

    place, settings = _place_to_change(workdir, config_file, assignments)
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    with place.locked():
        made = changes.rollback(place.versions, version, now, _user(), reason)
    print(f"version {made.kept} serves; {made.left} is in {place.withdrawn}")
    print(
        "what runs publish is held until `tfx-ner models promote VERSION` or `tfx-ner models release`"
    )
    _tell_elsewhere(place, settings)


@models.command()
@_version
@options.place
def promote(
    version: Optional[int],
    workdir: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
) -> None:
    """Let the canary or a withdrawn version serve.

    Without VERSION it is the canary. Also lifts the hold of a rollback.
    """
    from components.publishing import changes

    place, settings = _place_to_change(workdir, config_file, assignments)
    with place.locked():
        promoted = changes.promote(place.versions, version)
    print(f"version {promoted} serves, and what runs publish goes live again")
    _tell_elsewhere(place, settings)


@models.command()
@options.place
def release(
    workdir: Optional[str], config_file: Optional[str], assignments: tuple[str, ...]
) -> None:
    """Lift the hold.

    The next model that the gate accepts goes live. Withdrawn versions stay withdrawn.
    """
    from components.publishing import changes

    place, _ = _place_to_change(workdir, config_file, assignments)
    with place.locked():
        lifted = changes.release(place.versions)
    print(f"released; it was {lifted}")


@models.command()
@click.option(
    "--keep", type=click.IntRange(min=0), required=True, metavar="N", help="Keep the newest N."
)
@options.place
def prune(
    keep: int, workdir: Optional[str], config_file: Optional[str], assignments: tuple[str, ...]
) -> None:
    """Remove old versions.

    The version that serves, its fallback, the canary and the versions that a hold names are kept.
    """
    from components.publishing import changes

    place, _ = _place_to_change(workdir, config_file, assignments)
    with place.locked():
        gone = changes.prune(place.versions, keep)
    print(f"removed {', '.join(map(str, gone)) or 'nothing'}")


def _place(workdir: Optional[str], config_file: Optional[str], assignments: tuple[str, ...]):
    from pipeline.history import lookup

    return lookup.find_workdir(workdir, config_file, assignments)


def _place_to_change(
    workdir: Optional[str], config_file: Optional[str], assignments: tuple[str, ...]
):
    """The same; the paths in ML Metadata are updated if the workdir was moved. Versions change also where that fails."""
    from pipeline.history import lookup
    from pipeline.metadata_store import StoreError

    place, settings = lookup.find_workdir(workdir, config_file, assignments)
    location = place.location
    if location is None or location.path != str(place.root):
        try:
            lookup.open_to_change(place, settings)
        except (UserError, StoreError) as error:
            click.echo(f"tfx-ner: {error}", err=True)
    return place, settings


def _tell_elsewhere(place, settings) -> None:
    """Brings what serves now to `publish.copy_to`, too."""
    from components.storage.remote import StorageError
    from pipeline import remote_inputs

    try:
        with place.locked():
            remote_inputs.publish(place.versions, settings.publish.copy_to, print)
    except StorageError as error:
        raise StorageError(f"{error}; it is done here, and the next run brings it there") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"  # a container's user need not have a name
