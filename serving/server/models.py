"""The models that a server serves, by name, with the labels of their versions; a thread looks for new versions."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serving.server.options import Strict
from serving.server.status import Code, RequestError, invalid_argument, message_of
from serving.server.versions import (
    Lease,
    Policy,
    Retries,
    Servable,
    State,
    Status,
    Versions,
    not_served,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve."""

    name: str  # the name in requests
    base_path: Path  # the folder of versions
    policy: Policy = field(default_factory=Policy)  # which versions are served
    # Version by label; a label may name an available version only.
    labels: Mapping[str, int] = field(default_factory=dict)


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
        wanted = {config.name: config for config in configs}
        if len(wanted) < len(configs):
            raise invalid_argument("Illegal to list model twice in config list")
        with self._stepping:
            if self._strict:
                for config in configs:
                    self._check_labels_before_loading(config, self._strict)
            configured = {name: self._versions(config) for name, config in wanted.items()}
            for versions in configured.values():
                versions.step()
            # A model whose new base path has no version that loads keeps the old one.
            served = {
                name: versions if _available(versions) else self._models.get(name, versions)
                for name, versions in configured.items()
            }
            for versions in {*self._models.values(), *configured.values()} - {*served.values()}:
                versions.close()
                self._unloading.append(versions)
            self._models = served
            self._labels = {name: own for name, own in self._labels.items() if name in served}
            self._wake.set()
            for versions in configured.values():
                _check_served(versions)
            for config in configs if not self._strict else ():
                for version in config.labels.values():
                    if version not in _available(configured[config.name]):
                        raise _label_on_unavailable_version(config.name, version)
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
            raise not_served(name, version)
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

    def _check_labels_before_loading(self, config: ModelConfig, strict: Strict) -> None:
        """Checks labels as TensorFlow Serving does, which does so before it loads versions."""
        existing = self._labels.get(config.name, {})
        served = self._models.get(config.name)
        available = _available(served) if served else set()
        for label, version in config.labels.items():
            stays = existing.get(label, version) == version
            allowed = strict.allow_version_labels_for_unavailable_models and stays
            if version not in available and not allowed:
                raise _label_on_unavailable_version(config.name, version)

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
            retries=self._retries,
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


def _available(versions: Versions) -> set[int]:
    return {status.version for status in versions.statuses() if status.state is State.AVAILABLE}


def _check_served(versions: Versions) -> None:
    """Raises RequestError if no version of a model is available."""
    if _available(versions):
        return
    name, statuses = versions.name, versions.statuses()
    if not statuses:
        raise RequestError(Code.NOT_FOUND, f"no version of model {name} in {versions.base_path}")
    newest = statuses[0]
    raise RequestError(
        newest.code, f"version {newest.version} of model {name} cannot be loaded: {newest.message}"
    )


def _label_on_unavailable_version(model: str, version: int) -> RequestError:
    return RequestError(
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version {version} of model {model}, which is not currently"
        " available for inference",
    )
