"""The channel by which nodes report progress to the process that runs the pipeline: typed events, no logging.

TFX offers nodes no callback to their caller, so the channel is a list of listeners in this module. It works because nodes
run in the process (perhaps in another thread) of the run. An event without a listener is dropped.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


class Event:
    """Base class of all events."""


@dataclass(frozen=True)
class NodeStarted(Event):
    """A node has started."""

    node: str


@dataclass(frozen=True)
class NodeEnded(Event):
    """A node has ended without an error.

    Attributes:
      node: its id.
      execution: the id of its execution in ML Metadata.
      cached: whether its outputs came from the cache.
      reason: why it ran, or why the cache could be used.
      seconds: how long it took.
    """

    node: str
    execution: int
    cached: bool
    reason: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 2)}


@dataclass(frozen=True)
class NodeFailed(Event):
    """A node has raised an error."""

    node: str
    error: BaseException
    seconds: float


@dataclass(frozen=True)
class VectorsLoaded(Event):
    """Pretrained word vectors were read: for `known` of the `words` of train, and for `others` that train lacks."""

    known: int
    words: int
    others: int
    dimensions: int


@dataclass(frozen=True)
class WarmStarted(Event):
    """Training starts from another model's weights.

    Attributes:
      weights: number of weight tensors copied.
      of_weights: number of weight tensors of the new model.
      words: number of word embeddings copied.
      of_words: number of word embeddings of the new model.
    """

    weights: int
    of_weights: int
    words: int
    of_words: int


@dataclass(frozen=True)
class WaitingForWorkers(Event):
    """Distributed training waits for `tfx-ner worker` on other machines."""

    machines: int


@dataclass(frozen=True)
class ReplicasReady(Event):
    """Distributed training starts on this number of replicas."""

    replicas: int


@dataclass(frozen=True)
class EpochEnded(Event):
    """An epoch of training has ended; precision, recall and F1 are of entities on dev."""

    epoch: int
    epochs: int
    loss: float
    seconds: float
    f1: float
    precision: float
    recall: float


@dataclass(frozen=True)
class WorkerEpochEnded(Event):
    """An epoch has ended on a machine that is not the chief, which alone has the scores on dev."""

    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class Calibrated(Event):
    """Calibration on dev has ended.

    Attributes:
      outside_bias: what is subtracted from the score of the tag O.
      temperature: by which all scores are divided.
      odds: factor of the odds of an entity's probability.
      f1: F1 on dev with all of these.
      error: expected calibration error on dev.
    """

    outside_bias: float
    temperature: float
    odds: float
    f1: float
    error: float


@dataclass(frozen=True)
class TrialEnded(Event):
    """A trial of hyperparameter tuning has ended.

    Attributes:
      trial: its number, from 1.
      trials: how many there are.
      f1: F1 on dev of its best epoch.
      settings: the settings tried, by dotted key.
    """

    trial: int
    trials: int
    f1: float
    settings: Mapping[str, float]


Listener = Callable[[Event], None]
_listeners: list[Listener] = []


def emit(event: Event) -> None:
    """Gives an event to every listener."""
    for listener in tuple(_listeners):
        listener(event)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls `listener` with every event of the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


_JSON_EVENTS = {
    kind.__name__: kind
    for kind in (VectorsLoaded, WarmStarted, WaitingForWorkers, ReplicasReady, EpochEnded)
}


def to_json(event: Event) -> str:
    """An event as one line of JSON: `event` is the name of its class; an error becomes its text."""
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return json.dumps({"event": type(event).__name__, **values}, default=_plain)


def from_json(values: Mapping[str, Any]) -> Event:
    """The event of training that `to_json` wrote."""
    attributes = dict(values)
    return _JSON_EVENTS[attributes.pop("event")](**attributes)


def _plain(value: Any) -> float | str:
    """NumPy's numbers as numbers, exceptions as text."""
    return str(value) if isinstance(value, BaseException) else float(value)
