"""The models that a server serves: their versions, on disk and loaded, and the labels of versions.

A new version is loaded before the old one is unloaded. A version that cannot be loaded leaves the
old one serving, and is tried again later. The loader is an argument.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from components.publishing.versions import version_folders
from serving.server.config import ModelConfig, Policy, Retries, Strict
from serving.server.status import Code, RequestError, invalid_argument, message_of

log = logging.getLogger(__name__)


class State(IntEnum):
    """The states of a version, by their numbers in GetModelStatus."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class Status:
    """A version's state; `code` and `message` say why it could not be loaded."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


class Servable(Protocol):
    """A loaded version."""

    def close(self) -> None:
        """Frees its memory; it is not used any more."""


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

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Models:
    """The models of a server. `configure` loads them; `start` looks for new versions until `stop`.

    Args:
      load: loads the version in a folder of the model with a name.
      retries: how a version that cannot be loaded is tried again.
      poll_seconds: interval between two looks.
      strict: checks labels as TensorFlow Serving does, if given.
    """

    def __init__(
        self,
        load: Callable[[str, Path], Servable],
        retries: Retries,
        poll_seconds: float = 1.0,
        strict: Strict | None = None,
    ):
        self._load, self._retries, self._poll_seconds = load, retries, poll_seconds
        self._strict = strict
        self._models: dict[str, Versions] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._unloading: list[Versions] = []  # of models that are configured no more
        self._stepping = threading.RLock()
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._poll, name="versions", daemon=True)

    def configure(self, configs: Iterable[ModelConfig]) -> None:
        """Serves these models and no others; returns when they are loaded.

        Raises RequestError if a model has no version that can be loaded, or a label's version is not
        available. The models that were loaded are served all the same, and labels stay as they were.
        """
        configs = list(configs)
        if len({config.name for config in configs}) < len(configs):
            raise invalid_argument("Illegal to list model twice in config list")
        with self._stepping:
            if self._strict:  # TensorFlow Serving checks labels before it loads versions
                self._check_labels(configs, self._models, self._strict)
            configured = {config.name: self._versions(config) for config in configs}
            for versions in configured.values():
                versions.step()
            # A model whose new base path has no version that loads keeps the old one.
            served = {
                name: versions if versions.available else self._models.get(name, versions)
                for name, versions in configured.items()
            }
            for versions in {*self._models.values(), *configured.values()} - {*served.values()}:
                versions.close()
                self._unloading.append(versions)
            self._models = served
            self._labels = {name: own for name, own in self._labels.items() if name in served}
            self._wake.set()
            for versions in configured.values():
                versions.require_available()
            if not self._strict:
                self._check_labels(configs, configured)
            self._labels = {config.name: dict(config.labels) for config in configs}

    def start(self) -> None:
        """Starts to look for new versions."""
        self._thread.start()

    def stop(self) -> None:
        """Stops to look for new versions; loaded versions stay loaded."""
        self._stopped.set()
        self._wake.set()

    def lease(self, name: str, version: int | None = None, label: str | None = None) -> Lease:
        """Keeps a version of a model loaded until the lease is released. Raises RequestError."""
        if name not in self._models:
            raise _not_served(name, version)
        if label is not None:
            if label not in self._labels.get(name, {}):
                raise invalid_argument(f"Unrecognized servable version label: {label}")
            version = self._labels[name][label]
        return self._models[name].acquire(version)

    def statuses(self, name: str, version: int | None = None) -> list[Status]:
        """The states of a model's versions, or of the given one. Raises RequestError."""
        statuses = self._models[name].statuses() if name in self._models else []
        if not statuses:
            raise RequestError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        chosen = [status for status in statuses if version in (None, status.version)]
        if not chosen:
            raise RequestError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
        return chosen

    def _check_labels(
        self,
        configs: Iterable[ModelConfig],
        models: dict[str, Versions],
        strict: Strict | None = None,
    ) -> None:
        """Raises RequestError for a label on a version that is not available.

        Strict flags may allow a label that is new, or stays on its version.
        """
        allows_new = strict is not None and strict.allow_version_labels_for_unavailable_models
        for config in configs:
            existing = self._labels.get(config.name, {})
            available = models[config.name].available if config.name in models else set()
            for label, version in config.labels.items():
                is_allowed = allows_new and existing.get(label, version) == version
                if version not in available and not is_allowed:
                    raise RequestError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {config.name},"
                        " which is not currently available for inference",
                    )

    def _versions(self, config: ModelConfig) -> Versions:
        old = self._models.get(config.name)
        if old and old.base_path == config.base_path:
            old.policy = config.policy
            return old
        return Versions(
            config.name,
            config.base_path,
            lambda path: self._load(config.name, path),
            config.policy,
            self._retries,
            wake=self._wake.set,
        )

    def _poll(self) -> None:
        while True:
            self._wake.wait(self._poll_seconds)
            self._wake.clear()
            if self._stopped.is_set():
                return
            with self._stepping:
                for versions in [*self._models.values(), *self._unloading]:
                    try:
                        versions.step()
                    except Exception as error:  # a fault here must not end the polling
                        log.error("%s: %s", versions.name, message_of(error))
                self._unloading = [versions for versions in self._unloading if not versions.idle]


@dataclass
class _Entry:
    """What is known of a version since the start."""

    status: Status
    servable: Servable | None = None  # while it is loaded
    failures: int = 0  # attempts to load it that failed
    try_at: float = 0.0  # time of the next attempt
    leases: int = 0


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
        policy: Policy,
        retries: Retries,
        *,
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
    ):
        self.name, self.base_path, self.policy = name, base_path, policy
        self._load, self._retries, self._clock, self._wake = load, retries, clock, wake
        self._entries: dict[int, _Entry] = {}
        self._folders: dict[int, Path] = {}  # at the last step
        self._is_readable = True
        self._closed = False
        self._lock = threading.RLock()

    @property
    def available(self) -> set[int]:
        """The versions that answer requests."""
        with self._lock:
            return {
                version
                for version, entry in self._entries.items()
                if entry.status.state is State.AVAILABLE
            }

    @property
    def idle(self) -> bool:
        """Whether no version is loaded."""
        with self._lock:
            return all(entry.servable is None for entry in self._entries.values())

    def acquire(self, version: int | None = None) -> Lease:
        """Keeps a version loaded, by default the highest available one.

        Raises RequestError, NOT_FOUND, if the version is not available.
        """
        with self._lock:
            available = self.available
            number = max(available, default=None) if version is None else version
            if number is None or number not in available:
                raise _not_served(self.name, version)
            entry = self._entries[number]
            entry.leases += 1
            return Lease(number, entry.servable, lambda: self._release(entry))

    def statuses(self) -> list[Status]:
        """The states of all versions since the start, the highest first."""
        with self._lock:
            return [entry.status for _, entry in sorted(self._entries.items(), reverse=True)]

    def require_available(self) -> None:
        """Raises RequestError if no version is available."""
        if self.available:
            return
        if not (statuses := self.statuses()):
            raise RequestError(
                Code.NOT_FOUND, f"no version of model {self.name} in {self.base_path}"
            )
        newest = statuses[0]
        raise RequestError(
            newest.code,
            f"version {newest.version} of model {self.name} cannot be loaded: {newest.message}",
        )

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
        if entry is None or (entry.status.state is State.END and (returned or not entry.failures)):
            with self._lock:
                self._entries[version] = _Entry(Status(version, State.START))
            return True
        return (
            entry.status.state in (State.END, State.LOADING)
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
        entry.status = Status(version, State.LOADING)
        began = time.monotonic()
        try:
            servable = self._load(folder)
        except Exception as error:  # the other versions go on
            self._record_failure(version, entry, error)
            return
        with self._lock:
            entry.servable, entry.failures = servable, 0
            entry.status = Status(version, State.AVAILABLE)
        seconds = time.monotonic() - began
        log.info("%s: version %d is available, loaded in %.1f s", self.name, version, seconds)

    def _record_failure(self, version: int, entry: _Entry, error: Exception) -> None:
        message, pause = message_of(error), self._retries.seconds
        entry.failures += 1
        entry.try_at = self._clock() + pause
        is_last = entry.failures > self._retries.times
        if self._retries.shown or is_last:
            code = error.code if isinstance(error, RequestError) else Code.UNKNOWN
            entry.status = Status(version, State.END, code, message)
        following = "not tried again" if is_last else f"next try in {pause:g} s"
        log.warning(
            "%s: version %d cannot be loaded: %s; %s", self.name, version, message, following
        )

    def _unload_others(self, wanted: list[int]) -> None:
        """Unloads the versions that are not wanted, unless all wanted ones failed."""
        with self._lock:
            if wanted and not self.available & {*wanted}:
                return
            # A version that is loading waits for its next try.
            following = {State.AVAILABLE: State.UNLOADING, State.LOADING: State.END}
            for version in self._entries.keys() - wanted:
                entry = self._entries[version]
                state = entry.status.state
                entry.status = replace(entry.status, state=following.get(state, state))

    def _close_unused(self) -> None:
        for version, entry in self._entries.items():
            if entry.status.state is State.UNLOADING and not entry.leases:
                entry.servable.close()
                entry.servable, entry.status = None, Status(version, State.END)
                log.info("%s: version %d is unloaded", self.name, version)

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.leases -= 1
            is_last = not entry.leases and entry.status.state is State.UNLOADING
        if is_last:
            self._wake()


def _not_served(name: str, version: int | None) -> RequestError:
    """The error for a model or a version that is not available."""
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return RequestError(Code.NOT_FOUND, f"Servable not found for request: {request}")
