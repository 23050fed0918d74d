"""The label map: IOB2 tags in the order of their numbers, taken from the contract's closed domain on tags.

It comes from the schema and not from the data at hand, so that a type that happens to be absent from one span of data
does not change the model's shape. The outside tag is number 0.
"""

from collections.abc import Iterable

OUTSIDE = "O"


def label_map(types: Iterable[str]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of each type, types in alphabetical order.

    >>> label_map(["PER", "LOC"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return (OUTSIDE, *(f"{prefix}-{name}" for name in sorted(set(types)) for prefix in "BI"))


def types_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The types of IOB2 tags, each once, in alphabetical order."""
    return tuple(sorted({tag[2:] for tag in tags if tag != OUTSIDE}))


def inside(tag: str) -> str:
    """The tag of a token that goes on with what `tag` began: `I-PER` for `B-PER`, `O` for `O`."""
    return tag if tag == OUTSIDE else f"I-{tag[2:]}"
