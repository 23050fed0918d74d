"""Records a run in ML Metadata: at its start, and at its end, however it ends."""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from components.errors import UserError
from pipeline import __version__, code_hash, exits, metadata_store
from pipeline.config import Config
from pipeline.history.facts import TYPE, Facts

_PACKAGES = (
    "tfx", "tensorflow", "keras", "tensorflow-transform", "tensorflow-data-validation", "tensorflow-model-analysis",
    "apache-beam", "ml-metadata", "numpy", "protobuf",
)  # fmt: skip


BY_HAND = "by hand"  # why a run starts, where nobody says so


class Record:
    """Writes the facts of a run, each time that something is added to them."""

    def __init__(self, connection, facts: Facts):
        self._connection, self.facts, self._context, self._began = (
            connection,
            facts,
            None,
            time.monotonic(),
        )
        self._write()

    def add(self, **facts: Any) -> None:
        """Records more facts."""
        self.facts = replace(self.facts, **facts)
        self._write()

    def end(self, verdict: str, code: int, **facts: Any) -> None:
        """Records how the run ended. An error of ML Metadata is only printed: the outcome matters more."""
        try:
            self.add(
                verdict=verdict,
                code=code,
                seconds=round(time.monotonic() - self._began, 1),
                **facts,
            )
        except Exception as error:  # whatever it is, the run has ended as it has
            print(f"tfx-ner: {' '.join(str(error).split())}", file=sys.stderr)

    def _write(self) -> None:
        from ml_metadata.proto import metadata_store_pb2

        handle = metadata_store.opened(self._connection)
        try:
            if self._context is None:
                type_id = handle.put_context_type(metadata_store_pb2.ContextType(name=TYPE))
                self._context = metadata_store_pb2.Context(type_id=type_id, name=self.facts.run)
            for name, value in self.facts.properties().items():
                self._context.custom_properties[name].string_value = value
            [self._context.id] = handle.put_contexts([self._context])
        except (
            Exception
        ) as error:  # ml_metadata raises errors of its own, of several unrelated classes
            raise metadata_store.StoreError(
                f"cannot write the history into ML Metadata ({metadata_store.reason(error)})"
            ) from error


def begun(
    connection, run: str, config: Config, workdir: str, corpus: str, data: str, because: str
) -> Record:
    """Records that a run starts.

    Args:
      connection: of ML Metadata.
      run: the name of its folder.
      config: its configuration.
      workdir: the path of the workdir.
      corpus: the name of the corpus.
      data: the path of the corpus.
      because: why it starts.

    Raises:
      UserError, StoreError: as `pipeline.metadata_store.opened` does.
    """
    facts = Facts(
        run=run,
        workdir=workdir,
        because=because,
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
        verdict, code = _verdict(error)
        record.end(verdict, code, error=" ".join(str(error).split()) or type(error).__name__)
        raise


def _verdict(error: BaseException) -> tuple[str, int]:
    if isinstance(error, UserError):
        return "bad input", exits.BAD_INPUT
    return (
        ("stopped", exits.STOPPED)
        if isinstance(error, KeyboardInterrupt)
        else ("failed", exits.FAILED)
    )
