"""Pretrained word vectors from a file: GloVe's text, word2vec's text with its header line, fastText's `.vec`; plain or gzip.

Each line has a word, a space and its numbers. Words are read in the form under which the tagger counts them (lower case, every
digit a 0); of several words with one such form the first counts, as these files begin with the most frequent. Plain Python.
"""

import gzip
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import regex

from components.errors import UserError

_DIGIT = regex.compile(r"\p{Nd}")
_EXPECTED = "expected a word, a space and its numbers on each line, as GloVe, word2vec and fastText write text files"


@dataclass(frozen=True)
class Vectors:
    """`known`: rows of the words asked for, by word; `others`: further words with, in the same order, their rows in `extra`
    float32 `[others, dimensions]`."""

    dimensions: int
    known: dict[str, np.ndarray]
    others: tuple[str, ...]
    extra: np.ndarray


def read(path: str, wanted: Collection[str], limit: int) -> Vectors:
    """The vectors of the `wanted` words, normalised, and of the first `limit` others.

    Raises UserError, with file and line, where the file is missing or malformed.
    """
    known: dict[str, np.ndarray] = {}
    others: dict[str, np.ndarray] = {}
    dimensions = 0
    for number, word, values in _lines(path):
        word = _DIGIT.sub("0", word.lower())
        dimensions = dimensions or values.count(b" ") + 1
        if word in wanted:
            target = known
        elif len(others) < limit:
            target = others
        else:
            continue
        if word not in target:
            target[word] = _numbers(path, number, values)
    if not dimensions:
        raise UserError(f"{path}:1: found no vectors; {_EXPECTED}")
    extra = np.stack(list(others.values())) if others else np.zeros((0, dimensions), np.float32)
    return Vectors(dimensions, known, tuple(others), extra)


def dimensions_of(path: str) -> int:
    """The width of the vectors, from the file's first lines alone. Raises UserError as `read` does."""
    for number, _, values in _lines(path):
        return len(_numbers(path, number, values))
    raise UserError(f"{path}:1: found no vectors; {_EXPECTED}")


def _lines(path: str) -> Iterator[tuple[int, str, bytes]]:
    """Number, word and numbers, not yet read as such, of each line."""
    width = 0
    number = 0
    try:
        with open(path, "rb") as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            lines = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
            for number, line in enumerate(lines, start=1):
                line = line.strip(b" \r\n")
                if (
                    number == 1
                    and len(header := line.split()) == 2
                    and all(part.isdigit() for part in header)
                ):
                    width = int(header[1])
                    continue
                width = width or line.count(b" ")
                # From the right: a few words have spaces in them.
                parts = line.rsplit(b" ", width)
                if not width or len(parts) <= width:
                    raise UserError(
                        f"{path}:{number}: found {line.count(b' ')} numbers after the word"
                        + (f", {width} before" if width else "")
                        + f"; {_EXPECTED}"
                    )
                yield number, parts[0].decode("utf-8", "replace"), b" ".join(parts[1:])
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        where = f"{path}:{number + 1}" if number else path
        raise UserError(
            f"{where}: cannot read the word vectors ({reason}); expected a text file, plain or gzip"
        ) from None


def _numbers(path: str, number: int, values: bytes) -> np.ndarray:
    try:
        result = np.array(values.split(b" "), np.float32)
    except ValueError:
        result = np.array([np.nan], np.float32)
    if not np.isfinite(result).all():
        raise UserError(
            f"{path}:{number}: found something that is no number after the word; {_EXPECTED}"
        )
    return result
