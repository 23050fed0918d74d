"""Example sentences with their true and predicted entities marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from components.report.figures import Example, ExampleEntity
from components.report.page.wording import cut

LONGEST_TOKEN = 80
# Characters that change the direction of the following text are shown as their code points.
_DIRECTION_CONTROLS = {
    code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}

_Entities = tuple[ExampleEntity | None, ExampleEntity | None]  # true and predicted, of a token
_OUTSIDE = (None, None)


@dataclass(frozen=True)
class Piece:
    """Text within the same true entity and the same predicted entity."""

    text: str
    gold: ExampleEntity | None = None
    predicted: ExampleEntity | None = None


@dataclass(frozen=True)
class Region:
    """Overlapping entities, divided into pieces at every boundary."""

    pieces: tuple[Piece, ...]
    gold: tuple[ExampleEntity, ...]
    predicted: tuple[ExampleEntity, ...]
    is_subject: bool  # the example was chosen because of these entities

    @property
    def is_correct(self) -> bool:
        """Whether the predicted entities equal the true ones."""
        gold, predicted = (
            [(entity.start, entity.end, entity.type) for entity in entities]
            for entities in (self.gold, self.predicted)
        )
        return gold == predicted


def parts(example: Example) -> Iterator[str | Region]:
    """Yields a sentence in order: text outside all entities, and regions.

    The true entities must be disjoint, and so must the predicted ones.
    """
    tokens = [cut(token, LONGEST_TOKEN).translate(_DIRECTION_CONTROLS) for token in example.tokens]
    entities = [
        (_entity_at(example.gold, index), _entity_at(example.predicted, index))
        for index in range(len(tokens))
    ]
    start = 0
    for end in range(1, len(tokens) + 1):
        if end < len(tokens) and _is_connected(entities[end - 1], entities[end]):
            continue
        if entities[start] == _OUTSIDE:
            yield " ".join(tokens[start:end])
        else:
            gold, predicted = (
                tuple(dict.fromkeys(filter(None, column))) for column in zip(*entities[start:end])
            )
            yield Region(
                pieces=tuple(_pieces(tokens[start:end], entities[start:end])),
                gold=gold,
                predicted=predicted,
                is_subject=start < example.end and example.start < end,
            )
        start = end


def _is_connected(left: _Entities, right: _Entities) -> bool:
    """Whether neighbouring tokens are in the same entity, or both outside all entities."""
    return left == right or _shared(left, right) != _OUTSIDE


def _shared(left: _Entities, right: _Entities) -> _Entities:
    """The true and the predicted entity that two tokens have in common."""
    gold, predicted = (mine if mine == theirs else None for mine, theirs in zip(left, right))
    return gold, predicted


def _pieces(tokens: Sequence[str], entities: Sequence[_Entities]) -> Iterator[Piece]:
    """Yields the pieces of a region; a space belongs to the entities that continue across it."""
    previous = None
    for (gold, predicted), group in groupby(range(len(tokens)), key=entities.__getitem__):
        if previous:
            yield Piece(" ", *_shared(previous, (gold, predicted)))
        yield Piece(" ".join(tokens[index] for index in group), gold, predicted)
        previous = gold, predicted


def _entity_at(entities: Sequence[ExampleEntity], token: int) -> ExampleEntity | None:
    return next((entity for entity in entities if entity.start <= token < entity.end), None)
