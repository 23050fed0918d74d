"""CoNLL columns: one token a line, its tag in a column of its own, a blank line after each sentence.

    -DOCSTART- -X- O O

    EU NNP I-NP B-ORG
    rejects VBZ I-VP O

Tabs divide the columns of a line that has a tab, else runs of spaces: a token between tabs may be empty, or hold
spaces. A line of white space alone is blank. `-DOCSTART-` and `# newdoc` lines begin a document; other `#` lines are
comments, unless they have the columns of a token line.

The token is in the first column, the tag in the last, unless a header row or running numbers in the first column say
otherwise. A file is read twice: `survey` finds its columns, documents and tags, `read` gives its sentences.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import chain, islice, pairwise
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, Survey, rejected
from components.corpus.records import InvalidRecord, Read, Row, TokenRecord, quote
from components.corpus.tag_formats import detect_tag_format, is_any_tag
from components.errors import UserError
from components.ner.sentence import Sentence, Span
from components.ner.tags import tags_of

TOKEN_NAMES = frozenset("token tokens word words form text wort mot palabra".split())
TAG_NAMES = frozenset(
    "tag tags ner ner_tag ner_tags ner-tag nertag label labels iob bio ne entity entities".split()
)
_DOCSTART = "-DOCSTART-"
_NEWDOC = "newdoc"
_MAIN_SHARE = 0.7  # of the lines have the width of the file; with fewer the width varies
_TAG_SHARE = 0.8  # of the cells of the last column are tags, else another column has them
_ALL_SHARE = 0.98  # of the lines or sentences: nearly all, as files have errors
_FIRST_LINES = 2000  # by which the columns are found
_OTHER_COLUMNS = "(other columns: --set columns=TOKEN,TAG)"
_KNOWN_LINES = 1 << 16  # lines in the cache of columns: most lines of a corpus recur
_UNBROKEN = 1000  # tokens without a blank line: more are not one sentence


class ConllColumns(Format):
    """CoNLL columns, as CoNLL-2002 and -2003, W-NUT, GermEval and most shared tasks have them."""

    name = "conll"
    title = "CoNLL columns"
    endings = (
        *("conll", "conll02", "conll03", "conll2002", "conll2003", "conllu", "txt", "tsv", "data"),
        *("dat", "iob", "iob1", "iob2", "bio", "bioes", "iobes", "bilou", "bmes", "ner", "tags"),
    )
    holds = "tokens"
    keeps = frozenset({"documents"})

    def detect(self, sample: Sample) -> bool:
        """Any text may be columns: this format is the last one that is tried."""
        return bool(sample.lines)

    def is_evident(self, sample: Sample) -> bool:
        """Whether the first lines are columns, one of them of tags."""
        rows = _token_rows(sample.lines[:_FIRST_LINES])
        return all(len(cells) > 1 for cells in rows[:-1]) and _tag_column(rows) is not None

    def survey(self, source: Source) -> Survey:
        """Finds the columns of token and tag, and counts tags and documents. `#` lines count for documents only."""
        counts = _Counts(source)
        rows: list[list[str]] = []
        known: dict[str, list[str]] = {}
        for line in _with_line_ends(source):
            cells = known.get(line)
            if cells is None:
                stripped = line.rstrip()
                kind = _kind_of(stripped)
                if kind == _TOKEN:
                    cells = stripped.split("\t") if "\t" in stripped else _cells(stripped)
                    if len(known) < _KNOWN_LINES:
                        known[line] = cells
                else:
                    if rows and kind != _COMMENT:
                        counts.add_sentence(rows)
                        rows = []
                    if kind == _DOCUMENT:
                        counts.add_document_mark()
                    continue
            if not rows:
                counts.sentences_with_tabs += "\t" in line
            rows.append(cells)
        if rows:
            counts.add_sentence(rows)
        return counts.survey()

    def read(self, source: Source) -> Iterator[Record]:
        """The sentences of the file.

        The identity of a document is the id of its `# newdoc` line, else a digest of its first sentence, so that it
        keeps its identity, and with it its split, when documents are added before it.
        """
        layout = _Layout(**source.layout)
        documents = _Documents()
        rows: list[Row] = []
        known: dict[str, tuple[str, str]] = {}
        header = layout.header
        for number, line in enumerate(source.lines(), start=1):
            if line in known:
                rows.append((number, line))
                continue
            stripped = line.rstrip()
            kind = _kind_of(stripped)
            if stripped[:1] == "#" and layout.is_token_line(stripped):
                kind = _TOKEN
            if kind == _TOKEN and not header:
                rows.append((number, line))
            if kind in (_TOKEN, _COMMENT):
                header = header and kind == _COMMENT
                continue
            if rows:
                yield _record(rows, layout, documents, known, source.path)
                rows = []
            if kind == _DOCUMENT:
                documents.begin(_newdoc(stripped) or "")
        if rows:
            yield _record(rows, layout, documents, known, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> None:
        """Writes token and tag in IOB2, divided by a tab."""
        return write_conll(file, (item.sentence for item in items))


def write_conll(
    file: IO[str],
    sentences: Iterable[Sentence],
    scheme: str = "IOB2",
    predictions: Iterable[Sequence[Span]] | None = None,
) -> int:
    """Writes token and tag, divided by a tab. A `-DOCSTART-` line begins each document.

    Args:
      file: a text file that is open for writing.
      sentences: what to write.
      scheme: the scheme of the tags.
      predictions: predicted spans, one sequence a sentence, for a third column.

    Returns:
      The number of sentences.

    Raises:
      ValueError: a token that a line cannot hold, or there are more or fewer predictions than sentences.
    """
    document = ""
    count = 0
    predicted = iter(predictions) if predictions is not None else None
    for count, sentence in enumerate(sentences, start=1):
        columns = [sentence.tokens, tags_of(sentence.spans, len(sentence.tokens), scheme)]
        if predicted is not None:
            spans = next(predicted, None)
            if spans is None:
                raise ValueError(
                    f"there are fewer predictions than sentences: sentence {count} has no prediction"
                )
            columns.append(tags_of(spans, len(sentence.tokens), scheme))
        if sentence.document != document:
            file.write("\t".join([_DOCSTART, *["O"] * (len(columns) - 1)]) + "\n\n")
            document = sentence.document
        for row in zip(*columns, strict=True):
            _refuse_unwritable(row[0], sentence)
            file.write("\t".join(row) + "\n")
        file.write("\n")
    if predicted is not None and next(predicted, None) is not None:
        raise ValueError(f"there are more predictions than the {count} sentences")
    return count


_BLANK, _TOKEN, _COMMENT, _DOCUMENT = range(4)  # kinds of lines


def _kind_of(line: str) -> int:
    """The kind of a line without white space at its end."""
    if not line:
        return _BLANK
    if line[0] == "#":
        return _COMMENT if _newdoc(line) is None else _DOCUMENT
    is_docstart = line.startswith(_DOCSTART) and line[len(_DOCSTART) :][:1] in ("", " ", "\t")
    return _DOCUMENT if is_docstart else _TOKEN


def _with_line_ends(source: Source) -> Iterator[str]:
    """The lines of the file. Raises UserError where CR alone ends them."""
    lines = source.lines()
    first = next(lines, "")
    if first.count("\r") > 2 and not first.rstrip("\n").endswith("\t"):
        path = shlex.quote(source.path)
        converted = shlex.quote(f"{source.path}.lf")
        raise UserError(
            f"{source.path}:1: found line ends of CR alone, as old Macintoshes wrote; expected LF or CR LF. Convert the file,"
            f" as with tr '\\r' '\\n' < {path} > {converted}"
        )
    return chain([first], lines)


def _newdoc(line: str) -> str | None:
    """The identity in a `# newdoc id = X` line, "" in a `# newdoc` line without id, None in any other line."""
    words = line[1:].split()
    if line[:1] != "#" or not words or words[0] != _NEWDOC:
        return None
    return " ".join(words[3:]) if words[1:3] == ["id", "="] else ""


def _cells(line: str) -> list[str]:
    """The columns of a line without white space at its end, and without white space before the last column."""
    if "\t" in line:
        cells = line.split("\t")
        cells[-1] = cells[-1].lstrip()
        return cells
    cells = line.split(" ")
    return [cell for cell in cells if cell] if "" in cells else cells


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the lines of a file are laid out.

    Attributes:
      width: columns of a line, 0 where it varies.
      tabs: whether tabs divide them.
      token: index of the column of tokens.
      tag: index of the column of tags, -1 for the last.
      header: whether the first row names the columns.
    """

    width: int = 2
    tabs: bool = True
    token: int = 0
    tag: int = -1
    header: bool = False

    def is_token_line(self, line: str) -> bool:
        """Whether a line that begins with `#` is a token (`#`, or a hashtag) with its tag, and not a comment."""
        if self.tabs != ("\t" in line):
            return False
        cells = _cells(line)
        return len(cells) == self.width and is_any_tag(cells[self.tag])


class _Counts:
    """Counts the lines of a file for its survey.

    The setting `columns` says where token and tag are, else the first row if it is a header.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._notices: list[str] = []
        self._token, self._tag, self._header = self._find_columns()
        self._skip_row = self._header
        self._widths: Counter[int] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._sentences = self._numbered = self._longest = self._documents = self._marks = 0
        self._new_document = True
        self.sentences_with_tabs = 0

    def add_sentence(self, rows: list[list[str]]) -> None:
        """Counts a sentence of token lines, each split into its columns."""
        if self._skip_row:
            self._skip_row = False
            rows = rows[1:]
        if not rows:
            return
        self._sentences += 1
        self._longest = max(self._longest, len(rows))
        self._widths.update(map(len, rows))
        if self._tag == -1:
            tags = [cells[-1].lstrip() for cells in rows]
        else:
            tags = [cells[self._tag].strip() if len(cells) > self._tag else "" for cells in rows]
        self._pairs.update(pairwise(("", *tags, "")))
        self._documents += self._new_document
        self._new_document = False
        first = rows[0][0]
        if first.isdecimal():
            self._numbered += rows[-1][0] == str(int(first) + len(rows) - 1)

    def _find_columns(self) -> tuple[int, int, bool]:
        """The indices of token and tag by the first lines, and whether the first row is a header."""
        rows = _token_rows(islice(self._source.lines(), _FIRST_LINES))
        token, tag, is_header = 0, -1, False
        if not rows:
            return token, tag, is_header
        header = header_columns(rows[0])
        if self._source.options.columns:
            token, tag, is_header = chosen_columns(self._source.options.columns, rows[0])
        elif header:
            token, tag = header
            names = [cell.strip() for cell in rows[0]]
            self._notices.append(
                f"the first row is a header: tokens are read from column {names[token]!r}, tags from {names[tag]!r}"
                f" {_OTHER_COLUMNS}"
            )
        else:
            tag = _tag_column(rows) or -1
            if tag != -1:
                self._notices.append(
                    f"the last column has no tags: tags are read from column {tag + 1} {_OTHER_COLUMNS}"
                )
        return token, -1 if tag == len(rows[0]) - 1 else tag, is_header or header is not None

    def add_document_mark(self) -> None:
        """Counts a line that begins a document."""
        self._marks += 1
        self._new_document = True

    def survey(self) -> Survey:
        """The survey of all that was counted. Raises UserError for a file without ends of sentences."""
        width, most = (self._widths.most_common(1) or [(2, 0)])[0]
        may_guess = not self._source.options.columns and not self._header
        if may_guess and width > 2 and self._numbered >= _ALL_SHARE * self._sentences:
            self._token = 1
            self._notices.append(
                f"the first column holds running numbers: tokens are read from column 2 {_OTHER_COLUMNS}"
            )
        if most < _MAIN_SHARE * self._widths.total() and min(self._widths) > 1:
            self._notices.append(
                f"lines have from {min(self._widths)} to {max(self._widths)} columns: tokens are read from the first,"
                f" tags from the last {_OTHER_COLUMNS}"
            )
            width = 0
        if self._sentences <= max(1, self._marks):
            refuse_unbroken(self._source, self._longest, "a blank line after each sentence")
        tabs = 2 * self.sentences_with_tabs >= self._sentences
        layout = _Layout(width, tabs, self._token, self._tag, self._header)
        return Survey(self._pairs, asdict(layout), self._documents, self._marks, self._notices)


def _token_rows(lines: Iterable[str]) -> list[list[str]]:
    """The columns of the token lines among some lines."""
    stripped = (line.rstrip() for line in lines)
    return [_cells(line) for line in stripped if _kind_of(line) == _TOKEN]


def _tag_column(rows: Sequence[Sequence[str]]) -> int | None:
    """The index of the column of tags.

    This is the last column (-1) if most of its cells are tags in any form, else the last column of tags in the standard
    form. None if there is no column of tags.
    """
    last = [cells[-1].lstrip() for cells in rows if len(cells) > 1]
    tag_format = detect_tag_format(Counter(pairwise(("", *last, ""))))
    if sum(map(tag_format.accepts, last)) > _TAG_SHARE * len(last):
        return -1
    for column in range(max(map(len, rows), default=0) - 2, 0, -1):
        tags = sum(is_any_tag(cells[column]) for cells in rows if len(cells) > column)
        if tags > _ALL_SHARE * len(rows):
            return column
    return None


def header_columns(cells: Sequence[str]) -> tuple[int, int] | None:
    """The indices of token and tag in a header row, None if the row is not a header."""
    names = [cell.strip().lower() for cell in cells]
    token = next((index for index, name in enumerate(names) if name in TOKEN_NAMES), None)
    tags = [index for index, name in enumerate(names) if name in TAG_NAMES]
    return None if token is None or not tags else (token, tags[-1])


def chosen_columns(chosen: str, cells: Sequence[str]) -> tuple[int, int, bool]:
    """The indices of token and tag that the setting `columns` names.

    Args:
      chosen: the setting: two columns, each by its number from 1 (-1 is the last) or by its name in the header.
      cells: the first row.

    Returns:
      The two indices, and whether the setting names a column by the header.

    Raises:
      UserError: the first row has no column of that number or name.
    """
    names = [cell.strip().lower() for cell in cells]
    indices = []
    header = False
    for part in (part.strip() for part in chosen.split(",")):
        if not part.removeprefix("-").isdecimal() and part.lower() in names:
            indices.append(names.index(part.lower()))
            header = True
        elif part.removeprefix("-").isdecimal() and 0 < abs(int(part)) <= len(cells):
            indices.append(int(part) - 1 if int(part) > 0 else int(part))
        else:
            raise UserError(
                f"columns={chosen}: found no column {part}; the first row has {len(cells)} columns,"
                f" {', '.join(cells)}"
            )
    return indices[0], indices[1], header


def refuse_unbroken(source: Source, longest: int, expected: str) -> None:
    """Raises UserError if the longest "sentence" of a file is probably a whole text, unless the settings allow it.

    Args:
      source: the file and the settings.
      longest: the number of tokens of its longest sentence.
      expected: what ends a sentence in the format.
    """
    if longest > _UNBROKEN and source.options.missing_breaks == "stop":
        raise UserError(
            f"{source.path}: found {longest} tokens and no blank line between sentences; expected {expected}. Insert"
            " them, for example after each token `.`, or read the text as one sentence with --set missing_breaks=allow"
        )


class _Documents:
    """Gives the sentences of a file the identity of their document."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._given = ""
        self._current: str | None = None

    def begin(self, given: str) -> None:
        """Begins a document; `given` is its identity in the file, "" if the file has no identity for it."""
        self._given, self._current = given, None

    def identity(self, tokens: Sequence[str]) -> str:
        """The identity of the document that a sentence of these tokens is in."""
        if self._current is None:
            identity = self._given or blake2b("\n".join(tokens).encode(), digest_size=8).hexdigest()
            self._seen[identity] += 1
            again = self._seen[identity]
            self._current = identity if again == 1 else f"{identity}-{again}"
        return self._current


def _record(
    rows: list[Row],
    layout: _Layout,
    documents: _Documents,
    known: dict[str, tuple[str, str]],
    path: str,
) -> Record:
    """The sentence of some token lines; `known` has token and tag of lines met before."""
    pairs = []
    for number, line in rows:
        pair = known.get(line)
        if pair is None:
            try:
                pair = _token_and_tag(line, layout)
            except InvalidRecord as error:
                error.line = number
                return rejected(error, path, rows)
            if len(known) < _KNOWN_LINES:
                known[line] = pair
        pairs.append(pair)
    tokens, tags = zip(*pairs, strict=True)
    return TokenRecord(tokens, tags, rows, documents.identity(tokens))


def _token_and_tag(line: str, layout: _Layout) -> tuple[str, str]:
    """Token and tag of a line. Raises InvalidRecord."""
    width, token, tag = layout.width, layout.token, layout.tag
    if layout.tabs:
        # White space at the end of the line may be a token in the last column.
        cells = (line.rstrip("\r\n") if token == width - 1 else line).split("\t")
        if len(cells) == width and cells[tag].strip():
            return cells[token], cells[tag].strip()
    cells = _cells(line.rstrip())
    if len(cells) == 1 or not cells[-1]:
        raise InvalidRecord(
            f"the token {quote(cells[0])} without a tag",
            "a token and its tag, divided by a tab or spaces",
        )
    if len(cells) != (width or len(cells)) or not cells[tag]:
        where = ", the token first and its tag last" if (token, tag) == (0, -1) else ""
        raise InvalidRecord(
            f"{len(cells)} columns, {quote(' '.join(cells))}",
            f"{width}, as in most lines of the file{where}",
        )
    return cells[token], cells[tag].strip()


def _refuse_unwritable(token: str, sentence: Sentence) -> None:
    if "\t" in token or "\n" in token or token == _DOCSTART:
        raise ValueError(
            f"{sentence.id or sentence.tokens}: the token {token!r} cannot be written as a CoNLL column"
        )
