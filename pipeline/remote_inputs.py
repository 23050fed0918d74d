"""Remote storage: copies inputs that the settings name into the workdir, and published versions to it."""

from collections.abc import Callable
from pathlib import Path

from components.publishing import canary, versions
from components.publishing.versions import Folders
from components.storage import copies
from components.storage.remote import Remote, is_remote
from pipeline.config import Config
from pipeline.workdir import Workdir

_READ = ("data", "golden", "vectors")


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
    given = {name: getattr(config, name) for name in _READ}
    there = {name: path for name, path in given.items() if path and is_remote(path)}
    if not there:
        return config
    workdir.make()
    return config.model_copy(
        update={name: copies.local_copy(path, workdir.fetched, say) for name, path in there.items()}
    )


def as_given(config: Config, given: Config) -> Config:
    """The configuration with the addresses that were `given` in place of their copies."""
    return config.model_copy(
        update={name: path for name in _READ if (path := getattr(given, name)) and is_remote(path)}
    )


def publish(folders: Folders, address: str | None, say: Callable[[str], None]) -> None:
    """Copies the version that serves to remote storage and removes withdrawn versions there.

    Where canaries are in use, the canary goes to the folder `address`-canary; without a canary on trial
    that folder gets the version that serves. A version is whole there once its `saved_model.pb` is, which
    comes last. What failed is made up for by the next call.

    Args:
      folders: the local versions.
      address: the remote folder of versions, None if there is none.
      say: gets a line about each copy and removal.
    """
    serves = versions.serving(folders)
    if not address or serves is None:
        return
    base = Remote(address.rstrip("/"))
    withdrawn = set(versions.versions(folders.withdrawn)) - {serves}
    _bring(folders.live / str(serves), base, withdrawn, say)
    if canary.in_use(folders):
        newest = folders.canary / str(versions.canary(folders) or serves)
        base = Remote(f"{address.rstrip('/')}-canary")
        _bring(newest, base, _begun(base) - {int(newest.name)}, say)


def _bring(version: Path, base: Remote, unwanted: set[int], say: Callable[[str], None]) -> None:
    """Copies a version to a remote folder if it is not there, then removes unwanted ones."""
    number = int(version.name)
    if number not in copies.list_versions(base):
        say(f"copying version {number} to {base}")
        copies.upload_version(version, base)
    for other in sorted(_begun(base) & unwanted):
        say(f"removing version {other} from {base}")
        copies.remove_version(other, base)


def _begun(base: Remote) -> set[int]:
    """The numbers of versions of which anything is there."""
    numbers = (versions.version_number(place.name) for place in base.iterdir())
    return {number for number in numbers if number is not None}
