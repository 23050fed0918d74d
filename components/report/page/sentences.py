"""Sentences with the true entities and the found ones marked in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from components.report.figures import Example, Found
from components.report.page.wording import cut

LONGEST_TOKEN = 80
# Characters that turn the direction of all text behind them are shown by their number.
_TURNING = {code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


@dataclass(frozen=True)
class Piece:
    """Words, the true entity that they are in, and the found one."""

    text: str
    gold: Found | None = None
    found: Found | None = None


@dataclass(frozen=True)
class Place:
    """Entities that overlap, cut where any of them begins or ends; `subject`: the example is about them."""

    pieces: tuple[Piece, ...]
    gold: tuple[Found, ...]
    found: tuple[Found, ...]
    subject: bool

    @property
    def right(self) -> bool:
        """Whether the model found what is true here."""
        return _spans(self.gold) == _spans(self.found)


def parts(example: Example) -> Iterator[str | Place]:
    """A sentence's words, as text where there is no entity, and as places where there are some, in order.

    Entities of one side are sorted and disjoint.
    """
    tokens = [cut(token, LONGEST_TOKEN).translate(_TURNING) for token in example.tokens]
    at = 0
    for group in _overlapping(
        sorted([*example.gold, *example.predicted], key=lambda one: (one.start, one.end))
    ):
        start, end = group[0].start, max(one.end for one in group)
        if at < start:
            yield " ".join(tokens[at:start])
        gold = tuple(one for one in example.gold if start <= one.start < end)
        found = tuple(one for one in example.predicted if start <= one.start < end)
        yield Place(
            tuple(_pieces(tokens, gold, found)),
            gold,
            found,
            start < example.end and example.start < end,
        )
        at = end
    if at < len(tokens):
        yield " ".join(tokens[at:])


def _pieces(
    tokens: Sequence[str], gold: Sequence[Found], found: Sequence[Found]
) -> Iterator[Piece]:
    """The words of a place; the space between two pieces is in the entities that go on across it."""
    before = None
    for left, right in pairwise(
        sorted({border for one in (*gold, *found) for border in (one.start, one.end)})
    ):
        piece = Piece(" ".join(tokens[left:right]), _holding(gold, left), _holding(found, left))
        if before:
            yield Piece(
                " ",
                piece.gold if piece.gold is before.gold else None,
                piece.found if piece.found is before.found else None,
            )
        yield piece
        before = piece


def _overlapping(entities: Sequence[Found]) -> Iterator[list[Found]]:
    """Sorted entities in groups of those that overlap, directly or by others between them."""
    group: list[Found] = []
    end = 0
    for one in entities:
        if group and one.start >= end:
            yield group
            group = []
        group.append(one)
        end = max(end, one.end) if len(group) > 1 else one.end
    if group:
        yield group


def _holding(entities: Sequence[Found], token: int) -> Found | None:
    return next((one for one in entities if one.start <= token < one.end), None)


def _spans(entities: Sequence[Found]) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.type) for one in entities]
