"""The versions of one model: which are on disk, which are loaded, and how a new one replaces an old one.

A new version is loaded before the old one is unloaded. A version that cannot be loaded leaves the
old one serving, and is tried again later. Plain Python: the loader is an argument.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from components.publishing.versions import version_folders
from serving.server.status import Code, RequestError, message_of

log = logging.getLogger(__name__)


class State(IntEnum):
    """The states of a version, by their numbers in GetModelStatus."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Servable(Protocol):
    """A loaded version."""

    def close(self) -> None:
        """Frees its memory; it is not used any more."""


@dataclass(frozen=True)
class Policy:
    """Which versions are served: the `latest` ones, `every` version, or the `specific` ones."""

    latest: int = 1
    every: bool = False
    specific: tuple[int, ...] = ()

    def choose(self, versions: Iterable[int]) -> list[int]:
        """The versions to serve, the highest first.

        >>> Policy(latest=2).choose([1, 10, 9])
        [10, 9]
        """
        ordered = sorted(versions, reverse=True)
        if self.every:
            return ordered
        if self.specific:
            return [version for version in ordered if version in self.specific]
        return ordered[: self.latest]


@dataclass(frozen=True)
class Retries:
    """How a version that cannot be loaded is tried again."""

    times: int = 5  # the number of further tries
    seconds: float = 60.0  # the pause between two tries
    # Whether the version's state is END, with the error, between tries, rather than LOADING.
    shown: bool = True
    blocking: bool = False  # whether no other version changes between tries


@dataclass(frozen=True)
class Status:
    """A version's state; `code` and `message` say why it could not be loaded."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


@dataclass
class _Entry:
    state: State = State.START
    servable: Servable | None = None
    code: Code = Code.OK
    message: str = ""
    failures: int = 0
    try_at: float = 0.0
    leases: int = 0


@dataclass
class Lease:
    """Keeps a version loaded until `release`, or to the end of a `with` block."""

    version: int  # the version's number
    servable: Any  # what the loader returned for it
    _release: Callable[[], None] = field(repr=False)

    def release(self) -> None:
        """Ends the lease; a second call does nothing."""
        release, self._release = self._release, lambda: None
        release()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Versions:
    """The versions of a model. One thread calls `step`; all threads may take leases and statuses.

    Args:
      name: the model's name.
      base_path: the folder of versions.
      load: loads a version's folder; raises if it cannot be loaded.
      policy: which versions are served.
      retries: how a version that cannot be loaded is tried again.
      clock: the time in seconds.
      wake: is called when `step` has something to do before the next poll.
    """

    def __init__(
        self,
        name: str,
        base_path: Path,
        load: Callable[[Path], Servable],
        policy: Policy = Policy(),
        *,
        retries: Retries = Retries(),
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
    ):
        self.name, self.base_path, self.policy = name, base_path, policy
        self._load, self._retries, self._clock, self._wake = load, retries, clock, wake
        self._entries: dict[int, _Entry] = {}
        self._folders: dict[int, Path] = {}  # at the last step
        self._is_readable = True
        self._closed = False
        self._lock = threading.Lock()

    def acquire(self, version: int | None = None) -> Lease:
        """Keeps a version loaded, by default the highest available one.

        Raises RequestError, NOT_FOUND, if the version is not available.
        """
        with self._lock:
            available = self._available()
            if version is None and available:
                version = max(available)
            if version is None or version not in available:
                raise not_served(self.name, version)
            entry = self._entries[version]
            entry.leases += 1
            return Lease(version, entry.servable, lambda: self._release(entry))

    def statuses(self) -> list[Status]:
        """The states of all versions since the start, the highest first."""
        with self._lock:
            return [
                Status(version, entry.state, entry.code, entry.message)
                for version, entry in sorted(self._entries.items(), reverse=True)
            ]

    def step(self) -> None:
        """Looks at the disk once, loads new versions and unloads those no longer wanted; blocks."""
        folders = self._list_folders()
        if folders is not None:
            returned = folders.keys() - self._folders.keys()
            self._folders = folders
            wanted = [] if self._closed else self.policy.choose(folders)
            for version in wanted:
                if self._is_due(version, version in returned):
                    self._load_version(version, folders[version])
            self._unload_others(wanted)
        self._close_unused()

    def close(self) -> None:
        """Unloads each version once it has no lease; call `step` until `idle`."""
        self._closed = True

    @property
    def idle(self) -> bool:
        """Whether no version is loaded."""
        with self._lock:
            return all(entry.servable is None for entry in self._entries.values())

    def _available(self) -> list[int]:
        return [
            version for version, entry in self._entries.items() if entry.state is State.AVAILABLE
        ]

    def _list_folders(self) -> dict[int, Path] | None:
        """The folders of all versions; None if the base path cannot be read."""
        if self._closed:
            return {}
        try:
            folders = version_folders(self.base_path)
        except OSError as error:
            if self._is_readable:
                log.warning(
                    "%s: cannot read %s (%s); loaded versions serve on",
                    *(self.name, self.base_path, error.strerror),
                )
            self._is_readable = False
            return None
        self._is_readable = True
        if self._folders and not folders:
            log.warning("%s: no version is left in %s", self.name, self.base_path)
        return folders

    def _is_due(self, version: int, returned: bool) -> bool:
        """Whether to load a version now: it is new, was published again, or has to be retried."""
        entry = self._entries.get(version)
        if entry is None or (entry.state is State.END and (returned or not entry.failures)):
            with self._lock:
                self._entries[version] = _Entry()
            return True
        return (
            entry.state in (State.END, State.LOADING)
            and 0 < entry.failures <= self._retries.times
            and self._clock() >= entry.try_at
        )

    def _load_version(self, version: int, folder: Path) -> None:
        """Loads a version, and again after each failure if retries are blocking."""
        entry = self._entries[version]
        self._try_to_load(version, entry, folder)
        while self._retries.blocking and 0 < entry.failures <= self._retries.times:
            time.sleep(self._retries.seconds)
            self._try_to_load(version, entry, folder)

    def _try_to_load(self, version: int, entry: _Entry, folder: Path) -> None:
        with self._lock:
            entry.state, entry.code, entry.message = State.LOADING, Code.OK, ""
        began = time.monotonic()
        try:
            servable = self._load(folder)
        except Exception as error:  # the other versions go on
            self._record_failure(version, entry, error)
            return
        with self._lock:
            entry.servable, entry.state, entry.failures = servable, State.AVAILABLE, 0
        seconds = time.monotonic() - began
        log.info("%s: version %d is available, loaded in %.1f s", self.name, version, seconds)

    def _record_failure(self, version: int, entry: _Entry, error: Exception) -> None:
        message = message_of(error)
        with self._lock:
            entry.failures += 1
            entry.try_at = self._clock() + self._retries.seconds
            is_last = entry.failures > self._retries.times
            if self._retries.shown or is_last:
                entry.state, entry.message = State.END, message
                entry.code = error.code if isinstance(error, RequestError) else Code.UNKNOWN
        following = "not tried again" if is_last else f"next try in {self._retries.seconds:g} s"
        log.warning(
            "%s: version %d cannot be loaded: %s; %s", self.name, version, message, following
        )

    def _unload_others(self, wanted: list[int]) -> None:
        """Unloads the versions that are not wanted, unless all wanted ones failed."""
        with self._lock:
            if wanted and not set(wanted) & set(self._available()):
                return
            for version, entry in self._entries.items():
                if version in wanted:
                    continue
                if entry.state is State.AVAILABLE:
                    entry.state = State.UNLOADING
                elif entry.state is State.LOADING:  # it waits for its next try
                    entry.state = State.END

    def _close_unused(self) -> None:
        with self._lock:
            unused = [
                (version, entry)
                for version, entry in self._entries.items()
                if entry.state is State.UNLOADING and not entry.leases
            ]
        for version, entry in unused:
            entry.servable.close()
            with self._lock:
                entry.servable, entry.state = None, State.END
            log.info("%s: version %d is unloaded", self.name, version)

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.leases -= 1
            is_last = not entry.leases and entry.state is State.UNLOADING
        if is_last:
            self._wake()


def not_served(name: str, version: int | None) -> RequestError:
    """The error for a model or a version that is not available."""
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return RequestError(Code.NOT_FOUND, f"Servable not found for request: {request}")
