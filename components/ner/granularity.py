"""How fine the tokens of the model's tokenizer are: a small value that training and serving share."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import regex

WORDS_NAME, FINE_NAME = "words", "fine"

# Scripts written without spaces between words: their letters and digits are single tokens at every
# granularity.
SPACELESS_SCRIPTS = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")

_SCRIPT_NAME = regex.compile(r"[A-Za-z_]+")


@dataclass(frozen=True)
class Granularity:
    """How fine the tokens of the model's tokenizer are.

    `str()` gives the text that settings and model cards hold, and `parse_granularity` reads it.
    """

    splits_digits: bool = False
    """Whether a token ends between a letter and a digit, as "10mg" is divided into "10" and "mg"."""
    scripts: tuple[str, ...] = ()
    """Unicode scripts, in addition to SPACELESS_SCRIPTS, whose letters are single tokens; sorted."""

    def __str__(self) -> str:
        parts = [FINE_NAME] * self.splits_digits + [*self.scripts]
        return ",".join(parts) or WORDS_NAME

    @property
    def description(self) -> str:
        """The granularity in words, for messages.

        >>> Granularity(True, ("Arabic", "Hebrew")).description
        'split between letters and digits, and characters for Arabic and Hebrew'
        """
        parts = ["split between letters and digits"] * self.splits_digits
        if self.scripts:
            *others, last = self.scripts
            names = f"{', '.join(others)} and {last}" if others else last
            parts.append(f"characters for {names}")
        return ", and ".join(parts) or WORDS_NAME


WORDS = Granularity()


@functools.cache
def parse_granularity(text: str) -> Granularity:
    """Reads a granularity: "words", or a list of "fine" and names of scripts, separated by commas.

    Equal texts give the same object, so that TensorFlow traces a function once for each granularity.

    Raises:
        ValueError: a part of the text is no name of a script.

    >>> str(parse_granularity("hebrew, fine,Arabic"))
    'fine,Arabic,Hebrew'
    """
    parts = [part.strip() for part in text.split(",")]
    if parts == [WORDS_NAME]:
        return WORDS
    scripts = {_script(part) for part in parts if part.lower() != FINE_NAME}
    splits_digits = any(part.lower() == FINE_NAME for part in parts)
    return Granularity(splits_digits, tuple(sorted(scripts.difference(SPACELESS_SCRIPTS))))


def _script(name: str) -> str:
    """The name of a Unicode script in its usual spelling. Raises ValueError for any other name."""
    try:
        if not _SCRIPT_NAME.fullmatch(name):
            raise ValueError
        regex.compile(rf"\p{{Script={name}}}")
    except (ValueError, regex.error):
        raise ValueError(
            f"{name!r} is not the name of a Unicode script; expected words, fine, or names of scripts,"
            " as in Hangul or fine,Arabic,Hebrew"
        ) from None
    return "_".join(part.capitalize() for part in name.split("_"))
