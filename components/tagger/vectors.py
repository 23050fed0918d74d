"""Reads pretrained word vectors: GloVe's text, word2vec's text with its header line, fastText's
`.vec`; plain or gzip.

Each line has a word, a space and its numbers. Words are normalized as the tagger counts them (lower
case, every digit a 0). Of several words with the same normalized form the first is taken, as these
files begin with the most frequent word. Plain Python.
"""

import gzip
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import regex

from components.errors import UserError

_DIGIT = regex.compile(r"\p{Nd}")
_EXPECTED = (
    "expected a word, a space and its numbers on each line,"
    " as GloVe, word2vec and fastText write text files"
)


@dataclass(frozen=True)
class Vectors:
    """Pretrained vectors.

    Attributes:
        dimensions: their width.
        known: vectors of the words of train, by word, each float32 [dimensions].
        pretrained_only: words that have a vector and are not in train.
        pretrained_only_vectors: their vectors, float32 [pretrained-only words, dimensions].
    """

    dimensions: int
    known: dict[str, np.ndarray]
    pretrained_only: tuple[str, ...]
    pretrained_only_vectors: np.ndarray


def read_vectors(path: str, train_words: Collection[str], limit: int) -> Vectors:
    """Reads the vectors of the words of train, and of the first other words in the file.

    Args:
        path: the file.
        train_words: normalized words of train.
        limit: how many other words to read.

    Raises:
        UserError: the file is missing or malformed; names the line.
    """
    known: dict[str, np.ndarray] = {}
    pretrained_only: dict[str, np.ndarray] = {}
    dimensions = 0
    for line_number, word, values in _lines(path):
        word = _DIGIT.sub("0", word.lower())
        dimensions = dimensions or values.count(b" ") + 1
        if word in train_words:
            target = known
        elif len(pretrained_only) < limit:
            target = pretrained_only
        else:
            continue
        if word not in target:
            target[word] = _parse_vector(path, line_number, values)
    if not dimensions:
        raise UserError(f"{path}:1: found no vectors; {_EXPECTED}")
    matrix = np.zeros((0, dimensions), np.float32)
    if pretrained_only:
        matrix = np.stack(list(pretrained_only.values()))
    return Vectors(dimensions, known, tuple(pretrained_only), matrix)


def dimensions_of(path: str) -> int:
    """Reads the width of the vectors from the file's first lines; raises UserError as
    `read_vectors` does.
    """
    for line_number, _, values in _lines(path):
        return len(_parse_vector(path, line_number, values))
    raise UserError(f"{path}:1: found no vectors; {_EXPECTED}")


def _lines(path: str) -> Iterator[tuple[int, str, bytes]]:
    """Yields the number, the word and the unparsed values of each line."""
    width = 0
    line_number = 0
    try:
        with open(path, "rb") as raw:
            is_gzip = raw.peek(2)[:2] == b"\x1f\x8b"
            lines = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if is_gzip else raw
            for line_number, line in enumerate(lines, start=1):
                line = line.strip(b" \r\n")
                header = line.split() if line_number == 1 else []
                if len(header) == 2 and all(part.isdigit() for part in header):
                    width = int(header[1])
                    continue
                width = width or line.count(b" ")
                # From the right, as a few words have spaces in them.
                parts = line.rsplit(b" ", width)
                if not width or len(parts) <= width:
                    raise UserError(
                        f"{path}:{line_number}: found {line.count(b' ')} numbers after the word"
                        + (f", {width} before" if width else "")
                        + f"; {_EXPECTED}"
                    )
                yield line_number, parts[0].decode("utf-8", "replace"), b" ".join(parts[1:])
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        location = f"{path}:{line_number + 1}" if line_number else path
        raise UserError(
            f"{location}: cannot read the word vectors ({reason});"
            " expected a text file, plain or gzip"
        ) from None


def _parse_vector(path: str, line_number: int, values: bytes) -> np.ndarray:
    try:
        vector = np.array(values.split(b" "), np.float32)
    except ValueError:
        vector = np.array([np.nan], np.float32)
    if not np.isfinite(vector).all():
        raise UserError(
            f"{path}:{line_number}: found something that is not a number after the word;"
            f" {_EXPECTED}"
        )
    return vector
