"""What is found in a text."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity in a text: `text == whole[start:end]` in Unicode code points; `score` is its probability."""

    text: str
    type: str
    start: int
    end: int
    score: float


def with_minimum_score(entities: Iterable[Entity], minimum_score: float) -> tuple[Entity, ...]:
    """Returns the entities whose score is at least `minimum_score`, in order."""
    return tuple(entity for entity in entities if entity.score >= minimum_score)
