"""The small JSON that a published model carries: what it knows, where it came from and how good it was.

It lies under `assets.extra/ner.json`, where TensorFlow Serving keeps what it does not read itself. Plain Python.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Counts up when the signatures change; models of different interfaces are not compared.
INTERFACE = 1
_PLACE = Path("assets.extra") / "ner.json"


@dataclass(frozen=True)
class Card:
    """`labels`: IOB2 tags by number; `dev`: entity scores on dev of the kept weights, over the known way's tokens."""

    labels: tuple[str, ...]
    version: str
    corpus: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    dev: Mapping[str, float] = field(default_factory=dict)
    interface: int = INTERFACE

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
        return Card(**{**values, "labels": tuple(values["labels"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
