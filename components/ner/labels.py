"""The label map of a model: IOB2 tags in the order of their numbers.

It comes from the closed domain of tags in the curated schema rather than from the data, so that a
type that is missing from one span of data does not change the model's shape.
"""

from collections.abc import Iterable

OUTSIDE = "O"  # its number is 0


def label_map(types: Iterable[str]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of each type, types in alphabetical order.

    >>> label_map(["PER", "LOC"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return (OUTSIDE, *(f"{prefix}-{name}" for name in sorted(set(types)) for prefix in "BI"))


def types_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The types of IOB2 tags, without duplicates, in alphabetical order."""
    return tuple(sorted({tag[2:] for tag in tags if tag != OUTSIDE}))


def inside(tag: str) -> str:
    """The tag that continues the entity of `tag`: `I-PER` for `B-PER`, `O` for `O`."""
    return tag if tag == OUTSIDE else f"I-{tag[2:]}"
