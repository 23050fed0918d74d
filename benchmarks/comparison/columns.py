"""Reads and writes the comparison's CoNLL files: tab-separated, an empty line after each sentence.
Plain Python.

The project's own reader detects the form of a file, and needs the project; here the form is known.
"""

from collections.abc import Iterable, Iterator, Sequence

_DOCUMENT = "-DOCSTART-"


def read(path: str) -> Iterator[list[list[str]]]:
    """The columns of each sentence: its tokens, its tags, and its predicted tags where the file has
    them.
    """
    with open(path, encoding="utf-8", newline="\n") as file:  # a token may hold a carriage return
        rows: list[list[str]] = []
        for line in file:
            line = line.removesuffix("\n")
            if line:
                rows.append(line.split("\t"))
            elif rows:
                if rows[0][0] != _DOCUMENT:
                    yield [list(column) for column in zip(*rows, strict=True)]
                rows = []


def write(path: str, sentences: Iterable[Sequence[Sequence[str]]]) -> None:
    """Writes the columns of each sentence."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for columns in sentences:
            for row in zip(*columns, strict=True):
                file.write("\t".join(row) + "\n")
            file.write("\n")
