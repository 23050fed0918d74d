"""CoNLL columns: one token a line, the token first and its tag last, sentences apart by blank lines.

Columns are apart by tabs if the line has one, else by runs of spaces: a token between tabs may be empty, or hold
spaces. A line of white space alone is blank. `-DOCSTART-` and `# newdoc` lines begin a document; other `#` lines are
comments, unless they have the columns of a token line.

A file is read twice: `survey` finds its columns, documents and tags, `read` its sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise

from components.corpus.files import base_name
from components.corpus.records import BadLine, Read, Rejected, quote
from components.ner.sentence import Sentence
from components.ner.tags import SCHEMES, parse, prefixes, spans_of

_DOCSTART = "-DOCSTART-"
_NEWDOC = "newdoc"


@dataclass(frozen=True, slots=True)
class Columns:
    """How most lines of a file are laid out: the number of columns, and whether tabs divide them."""

    number: int = 2
    tabs: bool = True


@dataclass(slots=True)
class Survey:
    """What a first pass over a file counts: token lines by their columns, neighbouring tags, documents, and lines that
    mark where one begins.
    """

    shapes: Counter[tuple[int, bool]] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    documents: int = 0
    marks: int = 0

    @property
    def columns(self) -> Columns:
        """The layout of most lines."""
        return Columns(*self.shapes.most_common(1)[0][0]) if self.shapes else Columns()

    def add(self, shapes: list[tuple[int, bool]], tags: list[str], new_document: bool) -> None:
        """Counts one sentence."""
        self.shapes.update(shapes)
        self.pairs.update(pairwise(("O", *tags, "O")))
        self.documents += new_document


def survey(lines: Iterable[str]) -> Survey:
    """Counts what has to be known of the whole file before it is read.

    Lines that begin with `#` count for documents only.
    """
    found = Survey()
    shapes: list[tuple[int, bool]] = []
    tags: list[str] = []
    new_document = True
    for line in lines:
        line = line.rstrip()
        if line:
            first = line[0]
            if first != "#" and (first != "-" or not _is_docstart(line)):
                cells = line.split("\t") if "\t" in line else _cells(line)
                shapes.append((len(cells), "\t" in line))
                tags.append(cells[-1].lstrip())
                continue
            if first == "#" and _newdoc(line) is None:
                continue
            found.marks += 1
        if tags:
            found.add(shapes, tags, new_document)
            new_document = False
            shapes, tags = [], []
        new_document = new_document or bool(line)
    if tags:
        found.add(shapes, tags, new_document)
    return found


def read(
    lines: Iterable[str], file: str, columns: Columns, scheme: str, documents: bool = True
) -> Iterator[Read | Rejected]:
    """The sentences of a file, with their documents' identities if `documents`.

    A document is known by the id of its `# newdoc` line, else by a digest of its first sentence, so that it keeps its
    identity, and with it its split, when documents are added before it.
    """
    place = _Place(file, columns, scheme)
    identities = _Identities() if documents else None
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        stripped = line.rstrip()
        mark = None
        if stripped:
            if stripped[0] == "#" and not _is_token_line(stripped, columns):
                mark = _newdoc(stripped)
                if mark is None:
                    continue
            elif stripped[0] == "-" and _is_docstart(stripped):
                mark = ""
            else:
                rows.append((number, line))
                continue
        if rows:
            yield _sentence(rows, place, identities)
            rows = []
        if mark is not None and identities:
            identities.begin(mark)
    if rows:
        yield _sentence(rows, place, identities)


@dataclass(frozen=True, slots=True)
class _Place:
    """What all sentences of a file have in common, and the tags met so far that are the scheme's."""

    file: str
    columns: Columns
    scheme: str
    known: set[str] = field(default_factory=set)

    def admits(self, tag: str) -> bool:
        """Whether the scheme has the tag."""
        if tag in self.known:
            return True
        if _is_tag(tag, self.scheme):
            self.known.add(tag)
            return True
        return False


class _Identities:
    """Gives the sentences of a file the identity of their document."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._given = ""
        self._current: str | None = None

    def begin(self, given: str) -> None:
        """A document begins; `given` is the identity that the file gives it, "" if it gives none."""
        self._given, self._current = given, None

    def of(self, tokens: tuple[str, ...]) -> str:
        """The identity of the document that a sentence of these tokens is in."""
        if self._current is None:
            identity = self._given or blake2b("\n".join(tokens).encode(), digest_size=8).hexdigest()
            self._seen[identity] += 1
            again = self._seen[identity]
            self._current = identity if again == 1 else f"{identity}-{again}"
        return self._current


def _sentence(
    rows: list[tuple[int, str]], place: _Place, identities: _Identities | None
) -> Read | Rejected:
    """The sentence of some token lines, each with its number."""
    tokens: list[str] = []
    tags: list[str] = []
    width, known = place.columns.number, place.known
    for number, line in rows:
        cells = line.split("\t")
        tag = cells[-1].strip()
        if (
            len(cells) != width or tag not in known
        ):  # the first of its tags, another layout, or wrong
            cells = _cells(line.rstrip())
            tag = cells[-1]
            if len(cells) != width or width < 2 or not place.admits(tag):
                return Rejected(
                    _bad_line(number, cells, place),
                    "\n".join(line.rstrip("\r\n") for _, line in rows),
                )
        tokens.append(cells[0])
        tags.append(tag)
    words, first = tuple(tokens), rows[0][0]
    document = identities.of(words) if identities else ""
    spans = spans_of(tags, place.scheme) if tags.count("O") < len(tags) else ()
    name = f"{base_name(place.file)}:{first}"
    return Read(Sentence(words, spans, document, name, file=place.file, line=first), tags)


def _cells(line: str) -> list[str]:
    """The columns of a line without white space at its end; the tag has none at its start either."""
    if "\t" in line:
        cells = line.split("\t")
        cells[-1] = cells[-1].lstrip()
        return cells
    cells = line.split(" ")
    return [cell for cell in cells if cell] if "" in cells else cells


def _is_tag(tag: str, scheme: str) -> bool:
    try:
        parse(tag, scheme)
    except ValueError:
        return False
    return True


def _is_docstart(line: str) -> bool:
    return line.startswith(_DOCSTART) and line[len(_DOCSTART) :][:1] in ("", " ", "\t")


def _newdoc(line: str) -> str | None:
    """The identity in a `# newdoc id = X` line, "" if it gives none, None if it is another comment."""
    words = line[1:].split()
    if not words or words[0] != _NEWDOC:
        return None
    return " ".join(words[3:]) if words[1:3] == ["id", "="] else ""


def _is_token_line(line: str, columns: Columns) -> bool:
    """Whether a line that begins with `#` is a token (`#`, or a hashtag) with its tag, and not a comment."""
    if columns.tabs != ("\t" in line):
        return False
    cells = _cells(line)
    return len(cells) == columns.number and any(_is_tag(cells[-1], scheme) for scheme in SCHEMES)


def _bad_line(number: int, cells: list[str], place: _Place) -> BadLine:
    width = place.columns.number
    if len(cells) == 1 or not cells[-1]:
        return BadLine(
            place.file,
            number,
            f"the token {quote(cells[0])} without a tag",
            "a token and its tag, apart by a tab or spaces",
        )
    if len(cells) != width:
        found = f"{len(cells)} columns, {quote(' '.join(cells))}"
        return BadLine(
            place.file,
            number,
            found,
            f"{width}, as in most lines of the file, the token first and its tag last",
        )
    letters = [f"{prefix}-" for prefix in prefixes(place.scheme)]
    expected = (
        f"O, or {', '.join(letters[:-1])} or {letters[-1]} and a type, as in B-PER ({place.scheme})"
    )
    return BadLine(place.file, number, f"the tag {quote(cells[-1])} of {quote(cells[0])}", expected)
