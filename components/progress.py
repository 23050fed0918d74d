"""Events by which nodes report progress to the process that runs the pipeline.

TFX offers nodes no callback, so the channel is a list of listeners in this module. It works because
nodes run in the process of the run, perhaps in another thread. Without listeners, events are lost.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any


class Event:
    """Base class of all events."""


@dataclass(frozen=True)
class NodeStarted(Event):
    """A node has started."""

    node: str


@dataclass(frozen=True)
class NodeEnded(Event):
    """A node has ended without an error."""

    node: str
    execution: int  # id of the execution in ML Metadata
    cached: bool
    reason: str  # why it ran, or why the cache could be used
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
    """Pretrained word vectors were read."""

    known: int  # words of train with a vector
    words: int  # words of train
    others: int  # words outside train
    dimensions: int


@dataclass(frozen=True)
class WarmStarted(Event):
    """Training starts from another model's weights."""

    weights: int  # weight tensors copied
    of_weights: int  # weight tensors of the new model
    words: int  # word embeddings copied
    of_words: int  # word embeddings of the new model


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
    """Calibration on dev has ended."""

    outside_bias: float  # subtracted from the score of the tag O
    temperature: float  # divides all scores
    odds: float  # factor of the odds of an entity's probability
    f1: float  # on dev, with all of these
    error: float  # expected calibration error on dev


@dataclass(frozen=True)
class TrialEnded(Event):
    """A trial of hyperparameter tuning has ended."""

    trial: int  # from 1
    trials: int
    f1: float  # on dev, of the best epoch
    settings: Mapping[str, float]  # by dotted key


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
    return json.dumps({"event": type(event).__name__, **vars(event)}, default=_plain)


def from_json(values: Mapping[str, Any]) -> Event:
    """The event of training that `to_json` wrote."""
    attributes = dict(values)
    return _JSON_EVENTS[attributes.pop("event")](**attributes)


def _plain(value: Any) -> float | str:
    """NumPy's numbers as numbers, exceptions as text."""
    return str(value) if isinstance(value, BaseException) else float(value)
