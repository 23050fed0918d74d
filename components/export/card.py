"""The small JSON that a published model carries: what it knows, where it came from and how good it was.

It lies under `assets.extra/ner.json`, where TensorFlow Serving keeps what it does not read itself. Plain Python.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

# Counts up when the signatures change; models of different interfaces are not compared.
INTERFACE = 1
_PLACE = Path("assets.extra") / "ner.json"


@dataclass(frozen=True)
class Card:
    """What a published model says about itself.

    labels: IOB2 tags by number.
    version: version of tfx-ner that trained the model.
    corpus: the name of the corpus.
    settings: the settings of the training.
    dev: entity scores of the kept weights on dev, over the model's tokens.
    interface: counts up when the signatures change.
    tensorflow: version of TensorFlow that exported the model, "" if that is not recorded.
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
        """The lowest TensorFlow Serving that is promised to load the model, as "2.16".

        TensorFlow promises that newer releases load older models, not the reverse. "" if the version
        that exported the model is not recorded.
        """
        return ".".join(self.tensorflow.split(".")[:2])

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types that the model knows."""
        return tuple(tag[2:] for tag in self.labels if tag.startswith("B-"))


def write(card: Card, model: str | Path) -> None:
    """Writes the card of the SavedModel in the folder `model`."""
    path = Path(model) / _PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(asdict(card), ensure_ascii=False, indent=1, sort_keys=True) + "\n",
        encoding="utf-8",
    )


def read(model: str | Path) -> Card | None:
    """The card of a SavedModel, or None where it has none that can be read."""
    try:
        values = json.loads((Path(model) / _PLACE).read_text(encoding="utf-8"))
        known = {one.name: values[one.name] for one in fields(Card) if one.name in values}
        return Card(**{**known, "labels": tuple(values["labels"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
