"""Example sentences with their true and predicted entities marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from components.report.figures import Example, ExampleEntity
from components.report.page.wording import cut

LONGEST_TOKEN = 80
# Characters that change the direction of the following text are shown as their code points.
_DIRECTION_CONTROLS = {
    code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}

_Entities = Sequence[ExampleEntity]


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
        return _keys(self.gold) == _keys(self.predicted)


def parts(example: Example) -> Iterator[str | Region]:
    """Yields a sentence in order: text outside all entities, and regions.

    The true entities must be sorted and disjoint, and so must the predicted ones.
    """
    tokens = [cut(token, LONGEST_TOKEN).translate(_DIRECTION_CONTROLS) for token in example.tokens]
    position = 0
    entities = sorted(
        [*example.gold, *example.predicted], key=lambda entity: (entity.start, entity.end)
    )
    for group in _overlapping_groups(entities):
        start, end = group[0].start, max(entity.end for entity in group)
        if position < start:
            yield " ".join(tokens[position:start])
        gold = tuple(entity for entity in example.gold if start <= entity.start < end)
        predicted = tuple(entity for entity in example.predicted if start <= entity.start < end)
        yield Region(
            pieces=tuple(_pieces(tokens, gold, predicted)),
            gold=gold,
            predicted=predicted,
            is_subject=start < example.end and example.start < end,
        )
        position = end
    if position < len(tokens):
        yield " ".join(tokens[position:])


def _pieces(tokens: Sequence[str], gold: _Entities, predicted: _Entities) -> Iterator[Piece]:
    """Yields the pieces of a region; a space belongs to the entities that continue across it."""
    previous = None
    boundaries = sorted(
        {edge for entity in (*gold, *predicted) for edge in (entity.start, entity.end)}
    )
    for start, end in pairwise(boundaries):
        piece = Piece(
            " ".join(tokens[start:end]), _entity_at(gold, start), _entity_at(predicted, start)
        )
        if previous:
            yield Piece(
                " ",
                piece.gold if piece.gold is previous.gold else None,
                piece.predicted if piece.predicted is previous.predicted else None,
            )
        yield piece
        previous = piece


def _overlapping_groups(entities: _Entities) -> Iterator[list[ExampleEntity]]:
    """Yields sorted entities in groups that are connected by overlaps."""
    group: list[ExampleEntity] = []
    end = 0
    for entity in entities:
        if group and entity.start >= end:
            yield group
            group = []
        group.append(entity)
        end = max(end, entity.end) if len(group) > 1 else entity.end
    if group:
        yield group


def _entity_at(entities: _Entities, token: int) -> ExampleEntity | None:
    return next((entity for entity in entities if entity.start <= token < entity.end), None)


def _keys(entities: _Entities) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.type) for entity in entities]
