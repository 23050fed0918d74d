"""What is found in a text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity in a text: `text == whole[start:end]` in Unicode code points; `score` is its probability."""

    text: str
    type: str
    start: int
    end: int
    score: float
