"""The record of a run in ML Metadata, written at its start and at its end, however it ends."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from components.errors import UserError
from pipeline import __version__, code_hash, exits, metadata_store
from pipeline.config import Config

if TYPE_CHECKING:
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

TYPE = (
    "tfx_ner_run"  # of the context; its name is that of the run's folder and of TFX's own context
)
BY_HAND = "by hand"  # the reason of a run if none is given
_PACKAGES = (
    "tfx", "tensorflow", "keras", "tensorflow-transform", "tensorflow-data-validation", "tensorflow-model-analysis",
    "apache-beam", "ml-metadata", "numpy", "protobuf",
)  # fmt: skip
_OLD_NAMES = {"because": "reason"}  # in records of earlier releases


@dataclass(frozen=True)
class Facts:
    """What is recorded of a run. Scores and nodes are as in `pipeline.outcome.Outcome`."""

    run: str  # name of its folder
    workdir: str  # path of the workdir
    reason: str  # why it started
    corpus: str  # name of the corpus
    data: str  # path of the corpus
    started: float  # when it started, in seconds since 1970
    process: int  # id of its process
    host: str  # the machine of that process
    config_hash: str  # hash of its configuration
    code_hash: str  # hash of the code
    packages: Mapping[str, str] = field(default_factory=dict)  # versions of the packages by name
    data_hash: str = ""  # hash of the corpus
    spans: Sequence[Mapping[str, int]] = ()  # number and version of each span of its data
    sentences: Mapping[str, int] = field(default_factory=dict)  # number of sentences by split
    seconds: float | None = None  # how long it took; None until it has ended
    verdict: str = ""  # how it ended, in a word; "" until it has ended
    code: int | None = None  # its exit code; None until it has ended
    error: str = ""  # its error message if it failed
    reasons: Sequence[str] = ()  # why the gate refused the model
    evaluated_on: str = ""  # the split that the scores are of
    overall: Mapping[str, float] | None = None  # scores over all types
    per_type: Mapping[str, Mapping[str, float]] | None = None  # scores by type
    before: Mapping[str, float] | None = None  # scores of the model that served before
    version: str = ""  # the version that it published, wherever that is now
    until: str = ""  # the node after which it had to stop; "" to run to the end
    nodes: Sequence[Mapping[str, Any]] = ()  # its nodes

    def properties(self) -> dict[str, str]:
        """The values by name: strings as they are, others as JSON; empty values are left out."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in asdict(self).items()
            if name != "run" and (name not in _OPTIONAL or value not in (None, "", (), [], {}))
        }

    @classmethod
    def of(cls, run: str, properties: Mapping[str, str]) -> "Facts":
        """The facts in the properties of a run's context; properties of later versions are ignored."""
        types = {entry.name: entry.type for entry in fields(cls)}
        values = {_OLD_NAMES.get(name, name): value for name, value in properties.items()}
        parsed = {
            name: value if types[name] is str else json.loads(value)
            for name, value in values.items()
            if name in types
        }
        return cls(run=run, **parsed)


_OPTIONAL = {
    entry.name
    for entry in fields(Facts)
    if entry.default is not MISSING or entry.default_factory is not MISSING
}


class Record:
    """Writes the facts of a run each time that something is added to them.

    Args:
      connection: how to reach ML Metadata.
      facts: what is known at the start.
    """

    def __init__(self, connection: "ConnectionConfig", facts: Facts):
        self.facts = facts
        self._connection, self._context, self._began = connection, None, time.monotonic()
        self._write()

    def add(self, **facts: Any) -> None:
        """Records more facts."""
        self.facts = replace(self.facts, **facts)
        self._write()

    def end(self, verdict: str, code: int, **facts: Any) -> None:
        """Records how the run ended. An error of ML Metadata is only printed: the outcome matters more."""
        seconds = round(time.monotonic() - self._began, 1)
        try:
            self.add(verdict=verdict, code=code, seconds=seconds, **facts)
        except Exception as error:  # whatever it is, the run has ended as it has
            print(f"tfx-ner: {' '.join(str(error).split())}", file=sys.stderr)

    def _write(self) -> None:
        from ml_metadata.proto import metadata_store_pb2

        store = metadata_store.opened(self._connection)
        try:
            if self._context is None:
                type_id = store.put_context_type(metadata_store_pb2.ContextType(name=TYPE))
                self._context = metadata_store_pb2.Context(type_id=type_id, name=self.facts.run)
            for name, value in self.facts.properties().items():
                self._context.custom_properties[name].string_value = value
            [self._context.id] = store.put_contexts([self._context])
        except Exception as error:  # ml_metadata raises errors of several unrelated classes
            problem = metadata_store.reason(error)
            raise metadata_store.StoreError(
                f"cannot write the history into ML Metadata ({problem})"
            ) from error


def begun(
    connection: "ConnectionConfig",
    run: str,
    config: Config,
    workdir: str,
    corpus: str,
    data: str,
    reason: str,
) -> Record:
    """Records that a run starts.

    Args:
      connection: how to reach ML Metadata.
      run: the name of its folder.
      config: its configuration.
      workdir: the path of the workdir.
      corpus: the name of the corpus.
      data: the path of the corpus.
      reason: why it starts.

    Raises:
      UserError, StoreError: as `pipeline.metadata_store.opened` does.
    """
    facts = Facts(
        run=run,
        workdir=workdir,
        reason=reason,
        corpus=corpus,
        data=data,
        started=round(time.time(), 3),
        process=os.getpid(),
        host=socket.gethostname(),
        config_hash=hashlib.sha256(config.dump().encode()).hexdigest()[:16],
        code_hash=code_hash.whole_hash(),
        packages={
            "tfx-ner": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
    )
    return Record(connection, facts)


@contextlib.contextmanager
def ending(record: Record) -> Iterator[None]:
    """Records an exception that ends the run, and raises it again."""
    try:
        yield
    except BaseException as error:
        verdict, code = "failed", exits.FAILED
        if isinstance(error, UserError):
            verdict, code = "bad input", exits.BAD_INPUT
        elif isinstance(error, KeyboardInterrupt):
            verdict, code = "stopped", exits.STOPPED
        record.end(verdict, code, error=" ".join(str(error).split()) or type(error).__name__)
        raise
