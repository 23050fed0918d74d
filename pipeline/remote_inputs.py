"""What the settings name on storage elsewhere, copied into the work folder; a published version, copied there."""

from collections.abc import Callable

from components.publishing.versions import Folders, serving, version_number, versions
from components.storage import copies
from components.storage.remote import Remote, is_remote
from pipeline.config import Config
from pipeline.workdir import Workdir

_READ = ("data", "golden", "vectors")


def fetched(
    config: Config, workdir: Workdir, say: Callable[[str], None] = lambda _: None
) -> Config:
    """The configuration with copies in place of what lies elsewhere; what has not changed is not fetched again.

    `say` is told what is fetched. Raises UserError where something is not there, and StorageError where it cannot be reached.
    """
    given = {name: getattr(config, name) for name in _READ}
    there = {name: path for name, path in given.items() if path and is_remote(path)}
    if not there:
        return config
    workdir.make()
    return config.model_copy(
        update={name: copies.local(path, workdir.fetched, say) for name, path in there.items()}
    )


def as_given(config: Config, given: Config) -> Config:
    """The configuration with the addresses that were `given` in place of their copies."""
    return config.model_copy(
        update={name: path for name in _READ if (path := getattr(given, name)) and is_remote(path)}
    )


def publish(folders: Folders, address: str | None, say: Callable[[str], None]) -> None:
    """Brings the version that serves to the folder elsewhere at `address`, if there is one, and removes there those withdrawn.

    A version is whole there once its `saved_model.pb` is, which comes last. What failed is made up for the next time.
    """
    number = serving(folders)
    if not address or number is None:
        return
    base = Remote(address.rstrip("/"))
    if number not in copies.versions(base):
        say(f"copying version {number} to {base}")
        copies.upload_version(folders.live / str(number), base)
    for withdrawn in sorted(_begun(base).intersection(versions(folders.withdrawn)) - {number}):
        say(f"removing version {withdrawn} from {base}")
        copies.remove_version(withdrawn, base)


def _begun(base: Remote) -> set[int]:
    """The numbers of versions of which anything is there."""
    numbers = (version_number(place.name) for place in base.iterdir())
    return {number for number in numbers if number is not None}
