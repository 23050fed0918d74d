"""The usual hand-made features of a CRF for names: a token, its form, and two neighbours on each
side. Plain Python.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

_DISTANCES = (-2, -1, 1, 2)  # of the neighbours that are looked at


def shape(token: str) -> str:
    """The token's letters and digits by kind, and its other characters as they are.

    >>> shape("McDonald's-24")
    "XxXxxxxx'x-dd"
    """
    return "".join(map(_kind, token))


def short_shape(token: str) -> str:
    """The shape with runs of one kind as one.

    >>> short_shape("McDonald's-24")
    "XxXx'x-d"
    """
    return "".join(kind for kind, _ in groupby(shape(token)))


def sentence_features(tokens: Sequence[str]) -> list[list[str]]:
    """The features of each token of a sentence."""
    last = len(tokens) - 1
    features_of_tokens = []
    for position, token in enumerate(tokens):
        features = list(_own(token))
        for distance in _DISTANCES:
            if 0 <= position + distance <= last:
                features += _neighbour(tokens[position + distance], distance)
        if position == 0:
            features.append("BOS")
        if position == last:
            features.append("EOS")
        features_of_tokens.append(features)
    return features_of_tokens


# Cached because words recur.
@lru_cache(maxsize=2**16)
def _own(token: str) -> tuple[str, ...]:
    lower = token.lower()
    return (
        "bias",
        f"word={token}",
        f"lower={lower}",
        *(f"prefix={lower[:length]}" for length in range(1, 5) if length <= len(lower)),
        *(f"suffix={lower[-length:]}" for length in range(1, 5) if length <= len(lower)),
        f"shape={shape(token)}",
        *_form(token),
    )


@lru_cache(maxsize=2**18)
def _neighbour(token: str, distance: int) -> tuple[str, ...]:
    return tuple(
        f"{distance:+d}:{feature}" for feature in (f"lower={token.lower()}", *_form(token))
    )


def _form(token: str) -> list[str]:
    return [
        f"short_shape={short_shape(token)}",
        *(
            name
            for name, holds in (
                ("digit", str.isdigit),
                ("title", str.istitle),
                ("upper", str.isupper),
            )
            if holds(token)
        ),
    ]


def _kind(character: str) -> str:
    if character.isupper():
        return "X"
    if character.isalpha():
        return "x"
    return "d" if character.isdigit() else character
