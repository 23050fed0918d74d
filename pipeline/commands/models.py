"""`tfx-ner models`."""

import contextlib
import datetime
import getpass
from typing import TYPE_CHECKING

import click
from rich.console import Console

from components.errors import UserError
from pipeline.commands import options

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.workdir import Workdir

_version = click.argument("version", type=click.IntRange(min=1), required=False)


@click.group(cls=options.WithDefault)
def models() -> None:
    """Show what is published, and roll back, promote or remove versions.

    After a rollback no run puts a version into service: runs go on, and the versions that they
    publish are withdrawn until `promote` puts one of them into service or `release` lifts the hold.
    """


@models.command("list")
@_version
@options.json_file
@options.workdir
def show(version: int | None, json_file: str | None, work: "Workdir", settings: "Config") -> None:
    """List the versions, or show one.

    One version is shown with its origin: hashes of data, configuration and code, packages, scores.
    """
    with contextlib.suppress(UserError), work.locked():
        pass  # taking the lock updates a folder of an earlier release; a run that holds it did so

    from components.publishing import changes
    from pipeline.history import runs, tables

    shown = runs.load_models(options.open_metadata(work, settings), work)
    held = changes.load_hold(work.withdrawn)
    if version is not None:
        shown = [model for model in shown if model.version == version]
        if not shown:
            known = ", ".join(map(str, work.versions.all)) or "no versions"
            raise UserError(f"there is no version {version}; there are {known}")
    if json_file != "-":
        screen = Console(highlight=False)
        if version is None:
            tables.show_models(screen, shown, held)
        else:
            tables.show_model(screen, shown[0])
    figures = {"hold": held and vars(held), "models": [model.as_dict() for model in shown]}
    options.write_json(figures, json_file)


@models.command()
@_version
@options.reason("Why, for `models list` and the next runs.")
@options.workdir
def rollback(version: int | None, reason: str, work: "Workdir", settings: "Config") -> None:
    """Let an earlier version serve.

    Without VERSION the last change is undone: a canary is withdrawn; if there is no canary, the next
    lower version serves. Higher versions are withdrawn, and no run puts a version into service until
    `promote` or `release`.
    """
    from components.publishing import changes

    _update_moved(work, settings)
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    with work.locked():
        made = changes.rollback(work.versions, version, now, _user(), reason)
    print(f"version {made.kept} serves; {made.left} is in {work.withdrawn}")
    print(
        "what runs publish is held until `tfx-ner models promote VERSION` or `tfx-ner models release`"
    )
    _publish_remotely(work, settings)


@models.command()
@_version
@options.workdir
def promote(version: int | None, work: "Workdir", settings: "Config") -> None:
    """Let the canary or a withdrawn version serve.

    VERSION is the canary if not given. Also lifts the hold of a rollback.
    """
    from components.publishing import changes

    _update_moved(work, settings)
    with work.locked():
        promoted = changes.promote(work.versions, version)
    print(f"version {promoted} serves, and what runs publish goes live again")
    _publish_remotely(work, settings)


@models.command()
@options.workdir
def release(work: "Workdir", settings: "Config") -> None:
    """Lift the hold.

    The next model that the gate accepts goes into service. Withdrawn versions stay withdrawn.
    """
    from components.publishing import changes

    _update_moved(work, settings)
    with work.locked():
        lifted = changes.release(work.versions)
    print(f"released; it was {lifted}")


@models.command()
@click.option(
    "--keep", type=click.IntRange(min=0), required=True, metavar="N", help="Keep the newest N."
)
@options.workdir
def prune(keep: int, work: "Workdir", settings: "Config") -> None:
    """Remove old versions.

    The version that serves, its fallback, the canary and the versions that a hold names are kept.
    """
    from components.publishing import changes

    _update_moved(work, settings)
    with work.locked():
        removed = changes.prune(work.versions, keep)
    print(f"removed {', '.join(map(str, removed)) or 'nothing'}")


def _update_moved(work: "Workdir", settings: "Config") -> None:
    """Updates the paths in ML Metadata if the workdir was moved. Versions can be changed even if that fails."""
    from pipeline.metadata_store import StoreError

    if work.location is None or work.location.path != str(work.root):
        try:
            options.open_metadata(work, settings, update_paths=True)
        except (UserError, StoreError) as error:
            click.echo(f"tfx-ner: {error}", err=True)


def _publish_remotely(work: "Workdir", settings: "Config") -> None:
    """Copies the version that serves now to `publish.copy_to`."""
    from components.storage.remote import StorageError
    from pipeline import remote_inputs

    try:
        with work.locked():
            remote_inputs.publish(work.versions, settings.publish.copy_to, print)
    except StorageError as error:
        raise StorageError(f"{error}; it is done here, and the next run copies it there") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"  # a container's user need not have a name
