"""Remote storage: copies inputs that the settings name into the workdir, and published versions to it."""

from collections.abc import Callable
from pathlib import Path

from components.publishing import canary, versions
from components.publishing.versions import Folders
from components.storage import copies
from components.storage.remote import Remote, is_remote
from pipeline.config import Config
from pipeline.workdir import Workdir

_INPUTS = ("data", "golden", "vectors")


def _remote_inputs(config: Config) -> dict[str, str]:
    """The inputs that are on remote storage: setting -> address."""
    paths = {name: getattr(config, name) for name in _INPUTS}
    return {name: path for name, path in paths.items() if path and is_remote(path)}


def fetched(
    config: Config, workdir: Workdir, say: Callable[[str], None] = lambda _: None
) -> Config:
    """The configuration with local copies in place of remote inputs; unchanged ones are not copied again.

    Args:
      config: the configuration as given.
      workdir: where the copies go.
      say: called with a line for each copy.

    Raises:
      UserError: an input does not exist.
      StorageError: the storage cannot be reached.
    """
    addresses = _remote_inputs(config)
    if not addresses:
        return config
    workdir.make()
    paths = {
        name: copies.local_copy(address, workdir.fetched, say)
        for name, address in addresses.items()
    }
    return config.model_copy(update=paths)


def as_given(config: Config, given: Config) -> Config:
    """The configuration with the addresses that were `given` in place of their copies."""
    return config.model_copy(update=_remote_inputs(given))


def publish(folders: Folders, address: str | None, say: Callable[[str], None]) -> None:
    """Copies the version that serves to remote storage and removes withdrawn versions there.

    Where canaries are in use, the canary goes to the folder `address`-canary; without a canary
    that folder gets the version that serves. The `saved_model.pb` of a version comes last: with it
    the version is complete. The next call repeats what failed.

    Args:
      folders: the local versions.
      address: the remote folder of versions, None if there is none.
      say: called with a line for each copy and removal.
    """
    serves = versions.serving(folders)
    if not address or serves is None:
        return
    base = Remote(address.rstrip("/"))
    withdrawn = set(versions.versions(folders.withdrawn)) - {serves}
    _update(folders.live / str(serves), base, withdrawn, say)
    if canary.in_use(folders):
        newest = folders.canary / str(versions.canary(folders) or serves)
        base = Remote(f"{address.rstrip('/')}-canary")
        _update(newest, base, _version_numbers(base) - {int(newest.name)}, say)


def _update(version: Path, base: Remote, unwanted: set[int], say: Callable[[str], None]) -> None:
    """Copies a version to a remote folder if it is not there, then removes unwanted ones."""
    number = int(version.name)
    if number not in copies.list_versions(base):
        say(f"copying version {number} to {base}")
        copies.upload_version(version, base)
    for other in sorted(_version_numbers(base) & unwanted):
        say(f"removing version {other} from {base}")
        copies.remove_version(other, base)


def _version_numbers(base: Remote) -> set[int]:
    """The numbers of all versions in a remote folder, incomplete ones too."""
    numbers = (versions.version_number(entry.name) for entry in base.iterdir())
    return {number for number in numbers if number is not None}
