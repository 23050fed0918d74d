"""What a server's answers mean, whichever way they came."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from components.export.entity import Entity

SIGNATURE = "serving_default"
INPUT = "text"
# The model gives each entity's text as well, which is cut out of the text here instead: less to send.
OUTPUTS = ("count", "type", "start", "end", "score")


@dataclass(frozen=True)
class VersionStatus:
    """A version on the server: `state` is START, LOADING, AVAILABLE, UNLOADING or END; `error` why it failed, or ""."""

    version: int
    state: str
    error: str = ""


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a model by name, each with its type, as DT_STRING."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Metadata:
    """The model version that answers, and its signatures by name."""

    model: str
    version: int
    signatures: Mapping[str, Signature]

    @property
    def finds_entities(self) -> bool:
        """Whether it has the interface of a model that tfx-ner published."""
        signature = self.signatures.get(SIGNATURE)
        return (
            signature is not None
            and set(signature.inputs) == {INPUT}
            and set(OUTPUTS) <= set(signature.outputs)
        )


def readable(text: str) -> bytes:
    """A text in UTF-8. Lone surrogates, which UTF-8 cannot hold, are read as question marks."""
    return text.encode("utf-8", "replace")


def entities(text: str, found: Mapping[str, Sequence]) -> tuple[Entity, ...]:
    """The entities of one text.

    Args:
      found: by name of the output: `count`, and rows of at least that many types, starts, ends and scores.

    Raises KeyError, TypeError or ValueError where that is not so.
    """
    count = found["count"]
    rows = [found[name] for name in OUTPUTS[1:]]
    if any(len(row) < count for row in rows):
        raise ValueError(f"found {min(map(len, rows))} entities; expected {count}")
    return tuple(
        Entity(text[start:end], _word(type_), int(start), int(end), as_float32(score))
        for type_, start, end, score in islice(zip(*rows), count)
    )


def _word(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def as_float32(number: float) -> float:
    """A score as the model computed it: JSON may hold fewer digits, or more."""
    return struct.unpack("f", struct.pack("f", number))[0]
