"""The model card: a JSON file in a published model with its labels, settings, scores and versions.

It is `assets.extra/ner.json`; TensorFlow Serving leaves `assets.extra` alone. Needs no TensorFlow.
"""

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from components import atomic_io

# Increases when the signatures change; models of different interfaces are not compared.
INTERFACE = 1
_FILE = Path("assets.extra") / "ner.json"


@dataclass(frozen=True)
class Card:
    """What a published model knows, where it came from and how good it is.

    Attributes:
      labels: the IOB2 tags by number.
      version: the version of tfx-ner that trained the model.
      corpus: the corpus's name.
      settings: the settings of model and training.
      dev: entity scores of the saved weights on the dev split, on the model's own tokens.
      interface: the version of the signatures.
      tensorflow: the version of TensorFlow that saved the model, "" on older cards.
    """

    labels: tuple[str, ...]
    version: str
    corpus: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    dev: Mapping[str, float] = field(default_factory=dict)
    interface: int = INTERFACE
    tensorflow: str = ""

    @property
    def lowest_server(self) -> str:
        """The lowest TensorFlow Serving that is promised to load the model, such as "2.16".

        TensorFlow promises that newer releases load older models, not the reverse. It is "" if the
        card does not say which version saved the model.
        """
        return ".".join(self.tensorflow.split(".")[:2])

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types that the model knows."""
        return tuple(tag[2:] for tag in self.labels if tag.startswith("B-"))


def saved_now(labels: tuple[str, ...], version: str, **values: Any) -> Card:
    """A card for a model that this process saves, with its version of TensorFlow.

    Args:
      labels: as on the card.
      version: as on the card.
      values: other fields of the card.
    """
    return Card(labels, version, tensorflow=importlib.metadata.version("tensorflow"), **values)


def write(card: Card, model: str | Path) -> None:
    """Writes the card of the SavedModel in the folder `model`."""
    content = json.dumps(asdict(card), ensure_ascii=False, indent=1, sort_keys=True)
    atomic_io.write_text(Path(model) / _FILE, content + "\n")


def read(model: str | Path) -> Card | None:
    """Reads the card of a SavedModel. Returns None if it has no card that can be read.

    Fields that are unknown, as on the card of a newer version, are ignored.
    """
    try:
        values = json.loads((Path(model) / _FILE).read_text(encoding="utf-8"))
        known = {item.name for item in fields(Card)}
        values = {name: value for name, value in values.items() if name in known}
        return Card(**{**values, "labels": tuple(values["labels"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
