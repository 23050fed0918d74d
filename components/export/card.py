"""The model card: a JSON file in a published model with its labels, settings, scores and versions.

It is `assets.extra/ner.json`; TensorFlow Serving leaves `assets.extra` alone. Needs no TensorFlow.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from components import atomic_io
from components.ner.granularity import WORDS_NAME, Granularity, parse_granularity

# Increases when the signatures change; models of different interfaces are not compared.
INTERFACE = 1
_FILE = Path("assets.extra") / "ner.json"


@dataclass(frozen=True)
class Card:
    """The labels of a published model, its origin and its scores."""

    labels: tuple[str, ...]  # IOB2 tags by number
    version: str  # of tfx-ner
    corpus: str = ""  # name of the corpus
    settings: Mapping[str, Any] = field(default_factory=dict)  # of model and training
    dev: Mapping[str, float] = field(default_factory=dict)  # scores on dev, on the model's tokens
    interface: int = INTERFACE  # version of the signatures
    tensorflow: str = ""  # version of TensorFlow that saved the model, "" on older cards
    tokenizer: str = WORDS_NAME  # granularity of its tokenizer, as in the setting of that name

    @property
    def lowest_server(self) -> str:
        """The lowest release of TensorFlow Serving that is promised to load the model, as "2.16".

        It is "" if it is not known which TensorFlow saved the model: only newer releases load it.
        """
        return ".".join(self.tensorflow.split(".")[:2])

    @property
    def granularity(self) -> Granularity:
        """How fine the model's tokens are. Raises ValueError for a name that this version does not know."""
        return parse_granularity(self.tokenizer)

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types that the model knows."""
        return tuple(tag[2:] for tag in self.labels if tag.startswith("B-"))


def save_card(card: Card, model: str | Path) -> None:
    """Writes the card of the SavedModel in the folder `model`."""
    content = json.dumps(asdict(card), ensure_ascii=False, indent=1, sort_keys=True)
    atomic_io.write_text(Path(model) / _FILE, content + "\n")


def load_card(model: str | Path) -> Card | None:
    """Reads the card of a SavedModel; None if it has no readable card.

    Unknown fields, as on the card of a newer release, are ignored.
    """
    try:
        values = json.loads((Path(model) / _FILE).read_text(encoding="utf-8"))
        known = {item.name for item in fields(Card)}
        values = {name: value for name, value in values.items() if name in known}
        return Card(**{**values, "labels": tuple(values["labels"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
