"""The models that a server serves, by name, with the labels of their versions; a thread looks for new versions."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Optional

from serving.server.status import Code, RequestError
from serving.server.strict import Strict
from serving.server.versions import Lease, Policy, Retries, State, Status, T, Versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    name: the name in requests.
    base_path: the folder of versions.
    policy: which versions are served.
    labels: version by label; a label may name an available version only.
    """

    name: str
    base_path: Path
    policy: Policy = field(default_factory=Policy)
    labels: Mapping[str, int] = field(default_factory=dict)


class Models(Generic[T]):
    """The models of a server. `configure` loads them; `start` looks for new versions until `stop`.

    Args:
      load: loads the version in a folder of the model with a name.
      retries: how a version that cannot be loaded is tried again.
      poll_seconds: interval between two looks.
      strict: checks labels as TensorFlow Serving does, if given.
    """

    def __init__(
        self,
        load: Callable[[str, Path], T],
        retries: Retries,
        poll_seconds: float = 1.0,
        strict: Strict | None = None,
    ):
        self._load, self._retries, self._poll_seconds = load, retries, poll_seconds
        self._strict = strict
        self._models: dict[str, Versions[T]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._leaving: list[Versions[T]] = []
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
            raise RequestError(Code.INVALID_ARGUMENT, "Illegal to list model twice in config list")
        with self._stepping:
            if self._strict:
                for config in wanted.values():
                    self._refuse_labels_before_loading(config, self._strict)
            asked = {name: self._versions(config) for name, config in wanted.items()}
            for versions in asked.values():
                versions.step()
            # A model whose new base path has no version that loads keeps the old one.
            kept = {
                name: one if _serves(one) else self._models.get(name, one)
                for name, one in asked.items()
            }
            for versions in {*self._models.values(), *asked.values()} - {*kept.values()}:
                versions.close()
                self._leaving.append(versions)
            self._models = kept
            self._labels = {name: labels for name, labels in self._labels.items() if name in kept}
            self._wake.set()
            for versions in asked.values():
                _refuse_unserved(versions)
            for config in wanted.values() if not self._strict else ():
                _refuse_unavailable(config, asked[config.name])
            self._labels = {config.name: dict(config.labels) for config in wanted.values()}

    def start(self) -> None:
        """Starts to look for new versions."""
        self._thread.start()

    def stop(self) -> None:
        """Stops to look for new versions; loaded versions stay loaded."""
        self._stopped.set()
        self._wake.set()

    def lease(
        self, name: str, version: Optional[int] = None, label: Optional[str] = None
    ) -> Lease[T]:
        """Keeps a version of a model loaded until the lease is released. Raises RequestError."""
        if name not in self._models:
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise RequestError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
        return self._models[name].acquire(self._numbered(name, version, label))

    def statuses(self, name: str, version: int | None = None) -> list[Status]:
        """The states of a model's versions, or of the given one. Raises RequestError."""
        versions = self._models.get(name)
        statuses = versions.statuses() if versions else []
        if not statuses:
            raise RequestError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        chosen = [status for status in statuses if version in (None, status.version)]
        if not chosen:
            raise RequestError(Code.NOT_FOUND, f"Could not find version {version} of model {name}")
        return chosen

    def _numbered(self, name: str, version: Optional[int], label: Optional[str]) -> Optional[int]:
        if label is None:
            return version
        if label not in self._labels.get(name, {}):
            raise RequestError(
                Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
            )
        return self._labels[name][label]

    def _refuse_labels_before_loading(self, config: ModelConfig, strict: Strict) -> None:
        """Refuses labels as TensorFlow Serving does, which checks them before it loads versions."""
        existing = self._labels.get(config.name, {})
        served = self._models.get(config.name)
        states = {one.version: one.state for one in served.statuses()} if served else {}
        for label, version in config.labels.items():
            moves = existing.get(label, version) != version
            allowed = strict.allow_version_labels_for_unavailable_models and not moves
            if states.get(version) is not State.AVAILABLE and not allowed:
                raise _label_on_unavailable_version(config.name, version)

    def _versions(self, config: ModelConfig) -> Versions[T]:
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
        while not self._stopped.is_set():
            self._wake.wait(self._poll_seconds)
            self._wake.clear()
            if self._stopped.is_set():
                return
            with self._stepping:
                for versions in [*self._models.values(), *self._leaving]:
                    try:
                        versions.step()
                    except Exception as error:  # a fault here must not end the polling
                        log.error(
                            "%s: %s",
                            versions.name,
                            " ".join(str(error).split()) or type(error).__name__,
                        )
                self._leaving = [versions for versions in self._leaving if not versions.idle]


def _serves(versions: Versions) -> bool:
    return any(status.state is State.AVAILABLE for status in versions.statuses())


def _refuse_unserved(versions: Versions) -> None:
    if _serves(versions):
        return
    statuses = versions.statuses()
    if not statuses:
        raise RequestError(
            Code.NOT_FOUND, f"no version of model {versions.name} in {versions.base_path}"
        )
    raise RequestError(
        statuses[0].code,
        f"version {statuses[0].version} of model {versions.name} cannot be loaded: {statuses[0].message}",
    )


def _refuse_unavailable(config: ModelConfig, versions: Versions) -> None:
    states = {status.version: status.state for status in versions.statuses()}
    for version in config.labels.values():
        if states.get(version) is not State.AVAILABLE:
            raise _label_on_unavailable_version(config.name, version)


def _label_on_unavailable_version(model: str, version: int) -> RequestError:
    return RequestError(
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version {version} of model {model}, which is not currently"
        " available for inference",
    )
