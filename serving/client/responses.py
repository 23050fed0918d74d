"""What a server's responses hold, in whichever format they were sent."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

SIGNATURE = "serving_default"
INPUT = "text"
# The model also returns each entity's text. It is cut out of the request's text here, which saves
# sending it.
OUTPUTS = ("count", "type", "start", "end", "score")


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity in a text.

    Attributes:
      text: the entity's own text, `text[start:end]` of the whole.
      type: its type, such as "PER".
      start: offset of its first character, in Unicode code points.
      end: offset after its last character.
      score: its probability.
    """

    text: str
    type: str
    start: int
    end: int
    score: float


Entities = tuple[Entity, ...]


@dataclass(frozen=True)
class VersionStatus:
    """The status of a model's version on the server.

    Attributes:
      version: the version's number.
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      error: why the version failed, or "".
    """

    version: int
    state: str
    error: str = ""


@dataclass(frozen=True)
class Signature:
    """A signature of a model.

    Attributes:
      inputs: the dtype of each input by name, such as DT_STRING.
      outputs: the dtype of each output by name.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Metadata:
    """The model version that answers requests.

    Attributes:
      model: the model's name.
      version: the version's number.
      signatures: the version's signatures by name.
    """

    model: str
    version: int
    signatures: Mapping[str, Signature]

    @property
    def finds_entities(self) -> bool:
        """Whether the model has the interface of those that tfx-ner publishes."""
        signature = self.signatures.get(SIGNATURE)
        return (
            signature is not None
            and set(signature.inputs) == {INPUT}
            and set(OUTPUTS) <= set(signature.outputs)
        )


def encode(text: str) -> bytes:
    """A text in UTF-8. Lone surrogates, which UTF-8 cannot encode, become question marks."""
    return text.encode("utf-8", "replace")


def entities_of(text: str, outputs: Mapping[str, Any]) -> Entities:
    """The entities of one text.

    Args:
      text: the text of the request.
      outputs: the model's outputs for it by name: `count`, and sequences of at least `count`
        types, starts, ends and scores.

    Returns:
      The entities, in the order of the text.

    Raises:
      KeyError, TypeError, ValueError: the outputs have another form.
    """
    count = outputs["count"]
    columns: list[Sequence[Any]] = [outputs[name] for name in OUTPUTS[1:]]
    if any(len(column) < count for column in columns):
        raise ValueError(f"found {min(map(len, columns))} entities; expected {count}")
    return tuple(
        Entity(text[start:end], _decode(type_), int(start), int(end), _as_float32(score))
        for type_, start, end, score in islice(zip(*columns), count)
    )


def _decode(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _as_float32(score: float) -> float:
    """A score as the model computed it: JSON may have rounded it, or have more digits."""
    return struct.unpack("f", struct.pack("f", score))[0]
