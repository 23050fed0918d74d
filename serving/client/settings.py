"""What a client is told, and what follows from it whether it blocks or not."""

import importlib
from collections.abc import Mapping
from functools import partial
from typing import Optional

from components.errors import UserError
from components.export.entity import Entity
from serving.client import steps, target
from serving.client.answers import OUTPUTS, SIGNATURE, Metadata
from serving.client.batches import Cutter
from serving.client.errors import BadAnswer, ServerError
from serving.client.exchange import Connection, Exchange

Entities = tuple[Entity, ...]
Attempt = tuple[str, Entities | ServerError]


class Settings:
    """What both clients are told, and what follows from it."""

    def __init__(
        self,
        url: str,
        model: str = "ner",
        *,
        version: Optional[int] = None,
        label: Optional[str] = None,
        timeout: float = 30.0,
        retries: int = 5,
        batch_texts: int = 64,
        batch_bytes: int = 512 * 1024,
        concurrency: int = 4,
        max_message_bytes: int = 64 * 2**20,
        ca_file: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
    ):
        """Sends nothing yet.

        Args:
          url: `http://host:8501` or `https://…` for REST, `grpc://host:8500` or `grpcs://…` (TLS) for gRPC.
          model: its name on the server.
          version, label: one version of it, instead of the newest; not both.
          timeout: seconds for one request, its retries included.
          retries: how often a server that is unavailable is asked again, after pauses that grow.
          batch_texts, batch_bytes: the most texts, and bytes of text, in one request. TensorFlow Serving refuses more texts
            than its `max_batch_size`, which `tfx-ner serve` sets to 64.
          concurrency: requests in flight while many texts are recognised.
          max_message_bytes: an answer that is larger is refused.
          ca_file: certificates (PEM) that the server's is held against, instead of the system's.
          headers: sent with each request, as HTTP headers or gRPC metadata.

        Raises UserError for values that make no sense.
        """
        for name, value, least in (
            ("timeout", timeout, 0.001),
            ("retries", retries, 0),
            ("batch_texts", batch_texts, 1),
            ("batch_bytes", batch_bytes, 1),
            ("concurrency", concurrency, 1),
            ("max_message_bytes", max_message_bytes, 1),
        ):
            if not value >= least:
                raise UserError(f"{name}: found {value}; expected {least} or more")
        self._connection = Connection(
            target.read(url), ca_file, dict(headers or {}), max_message_bytes
        )
        self._servable = target.Servable(model, version, label)
        self._patience = steps.Patience(timeout, retries)
        self._cutter = partial(Cutter, batch_texts, batch_bytes)
        self._concurrency = concurrency
        # Imported here: each brings a library that the other has no use for.
        self._speech = importlib.import_module(
            f"serving.client.{'over_grpc' if self._connection.target.over_grpc else 'over_rest'}"
        )
        self._open()

    def _open(self) -> None:
        """What is made at once, rather than at the first request."""

    @property
    def server(self) -> str:
        """The server's address."""
        return str(self._connection.target)

    def _plan(self, texts: list[str], silence: steps.Silence) -> steps.Plan[steps.Answers]:
        return steps.answers(
            texts, partial(self._speech.predict, self._servable), self._patience, silence
        )

    def _checked(self, metadata: Metadata) -> Metadata:
        if not metadata.finds_entities:
            raise BadAnswer(
                self.server,
                f"its model {metadata.model}, version {metadata.version}, was not published by tfx-ner: found the"
                f" signatures {', '.join(sorted(metadata.signatures)) or 'none'}; expected {SIGNATURE} from text to"
                f" {', '.join(OUTPUTS)}",
            )
        return metadata

    def _one(self, text: str) -> Exchange[list[Entities]]:
        if not isinstance(text, str):
            raise TypeError(f"found {type(text).__name__}; expected one text, a str")
        return self._speech.predict(self._servable, [text])


def several(texts):
    """Refuses a str, which would be read letter by letter."""
    if isinstance(texts, str):
        raise TypeError("found one text; expected several: recognise_one takes one")
    return texts


def demanded(number: int, attempt: Attempt) -> tuple[str, Entities]:
    """A text with its entities; its error is raised."""
    text, found = attempt
    if isinstance(found, ServerError):
        raise type(found)(found.server, f"text {number}: {found.said}") from found
    return text, found
