"""The versions of one model: which are on disk, which are loaded, and how a new one replaces an old one.

A new version is loaded before the old one is unloaded. A version that cannot be loaded leaves the old one
serving, and is tried again later. Plain Python: the loader is an argument.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Generic, Optional, Protocol, TypeVar

from components.publishing.versions import version_folders
from serving.server.status import Code, RequestError

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


T = TypeVar("T", bound=Servable)


@dataclass(frozen=True)
class Policy:
    """Which versions are served: the `latest` ones, `every` version, or the `specific` ones."""

    latest: int = 1
    every: bool = False
    specific: tuple[int, ...] = ()

    def chosen(self, versions: Iterable[int]) -> list[int]:
        """The versions to serve, the highest first.

        >>> Policy(latest=2).chosen([1, 10, 9])
        [10, 9]
        """
        ordered = sorted(versions, reverse=True)
        if self.every:
            return ordered
        return (
            [one for one in ordered if one in self.specific]
            if self.specific
            else ordered[: self.latest]
        )


@dataclass(frozen=True)
class Retries:
    """How a version that cannot be loaded is tried again.

    times: the number of further tries.
    seconds: the pause between two tries.
    shown: whether the version's state is END, with the error, between tries, rather than LOADING.
    blocking: whether no other version changes between tries.
    """

    times: int = 5
    seconds: float = 60.0
    shown: bool = True
    blocking: bool = False


@dataclass(frozen=True)
class Status:
    """A version's state; `code` and `message` say why it could not be loaded."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


@dataclass
class _Entry(Generic[T]):
    path: Path
    state: State = State.START
    servable: Optional[T] = None
    code: Code = Code.OK
    message: str = ""
    failures: int = 0
    try_at: float = 0.0
    leases: int = 0


@dataclass
class Lease(Generic[T]):
    """Keeps a version loaded until `release`."""

    version: int
    servable: T
    _release: Callable[[], None] = field(repr=False)

    def release(self) -> None:
        """Ends the lease; a second call does nothing."""
        release, self._release = self._release, lambda: None
        release()


class Versions(Generic[T]):
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
        load: Callable[[Path], T],
        policy: Policy = Policy(),
        *,
        retries: Retries = Retries(),
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
    ):
        self.name, self.base_path, self.policy = name, base_path, policy
        self._load, self._retries, self._clock, self._wake = load, retries, clock, wake
        self._entries: dict[int, _Entry[T]] = {}
        self._found: dict[int, Path] = {}
        self._unreadable = False
        self._closed = False
        self._lock = threading.Lock()

    def acquire(self, version: Optional[int] = None) -> Lease[T]:
        """Keeps a version loaded, by default the highest available one.

        Raises RequestError, NOT_FOUND, if the version is not available.
        """
        with self._lock:
            available = [
                number for number, entry in self._entries.items() if entry.state is State.AVAILABLE
            ]
            if version is None and available:
                version = max(available)
            if version is None or version not in available:
                asked = (
                    f"Latest({self.name})"
                    if version is None
                    else f"Specific({self.name}, {version})"
                )
                raise RequestError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
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
        found = self._look()
        if found is not None:
            came_back = found.keys() - self._found.keys()
            self._found = found
            wanted = [] if self._closed else self.policy.chosen(found)
            for version in wanted:
                if self._is_due(version, version in came_back):
                    self._bring_up(version, found[version])
            self._let_go(wanted)
        self._reap()

    def close(self) -> None:
        """Unloads each version once it has no lease; call `step` until `idle`."""
        self._closed = True

    @property
    def idle(self) -> bool:
        """Whether no version is loaded."""
        with self._lock:
            return all(entry.servable is None for entry in self._entries.values())

    def _look(self) -> Optional[dict[int, Path]]:
        if self._closed:
            return {}
        try:
            found = version_folders(self.base_path)
        except OSError as error:
            if not self._unreadable:
                log.warning(
                    "%s: cannot read %s (%s); what serves goes on",
                    self.name,
                    self.base_path,
                    error.strerror,
                )
            self._unreadable = True
            return None
        self._unreadable = False
        if self._found and not found:
            log.warning("%s: no version is left in %s", self.name, self.base_path)
        return found

    def _is_due(self, version: int, came_back: bool) -> bool:
        entry = self._entries.get(version)
        if entry is None or (entry.state is State.END and (came_back or not entry.failures)):
            with self._lock:
                self._entries[version] = _Entry(self._found[version])
            return True
        return (
            entry.failures > 0
            and entry.state in (State.END, State.LOADING)
            and entry.failures <= self._retries.times
            and self._clock() >= entry.try_at
        )

    def _bring_up(self, version: int, path: Path) -> None:
        self._try_to_load(version, path)
        entry = self._entries[version]
        while self._retries.blocking and 0 < entry.failures <= self._retries.times:
            time.sleep(self._retries.seconds)
            self._try_to_load(version, path)

    def _try_to_load(self, version: int, path: Path) -> None:
        entry = self._entries[version]
        with self._lock:
            entry.state, entry.code, entry.message = State.LOADING, Code.OK, ""
        started = time.monotonic()
        try:
            servable = self._load(path)
        except Exception as error:  # the other versions go on
            with self._lock:
                entry.failures += 1
                entry.try_at = self._clock() + self._retries.seconds
                message = " ".join(str(error).split()) or type(error).__name__
                left = self._retries.times + 1 - entry.failures
                if self._retries.shown or not left:
                    entry.state, entry.message = State.END, message
                    entry.code = error.code if isinstance(error, RequestError) else Code.UNKNOWN
            log.warning(
                "%s: version %d cannot be loaded: %s; %s",
                self.name,
                version,
                message,
                f"next try in {self._retries.seconds:g} s" if left else "not tried again",
            )
            return
        with self._lock:
            entry.servable, entry.state, entry.failures = servable, State.AVAILABLE, 0
        log.info(
            "%s: version %d is available, loaded in %.1f s",
            self.name,
            version,
            time.monotonic() - started,
        )

    def _let_go(self, wanted: list[int]) -> None:
        with self._lock:
            serving = any(
                self._entries[one].state is State.AVAILABLE
                for one in wanted
                if one in self._entries
            )
            if wanted and not serving:
                return  # the old version serves on
            for version, entry in self._entries.items():
                if version in wanted:
                    continue
                if entry.state is State.AVAILABLE:
                    entry.state = State.UNLOADING
                elif entry.state is State.LOADING:  # it waits for its next try
                    entry.state = State.END

    def _reap(self) -> None:
        with self._lock:
            done = [
                (version, entry)
                for version, entry in self._entries.items()
                if entry.state is State.UNLOADING and not entry.leases
            ]
        for version, entry in done:
            entry.servable.close()
            with self._lock:
                entry.servable, entry.state = None, State.END
            log.info("%s: version %d is unloaded", self.name, version)

    def _release(self, entry: _Entry[T]) -> None:
        with self._lock:
            entry.leases -= 1
            last = not entry.leases and entry.state is State.UNLOADING
        if last:
            self._wake()
