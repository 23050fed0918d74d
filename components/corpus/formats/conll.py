"""CoNLL columns: one token a line, its tag in a column of its own, sentences apart by blank lines.

    -DOCSTART- -X- O O

    EU NNP I-NP B-ORG
    rejects VBZ I-VP O

Columns are apart by tabs if the line has one, else by runs of spaces: a token between tabs may be empty, or hold
spaces. A line of white space alone is blank. `-DOCSTART-` and `# newdoc` lines begin a document; other `#` lines are
comments, unless they have the columns of a token line.

The token is in the first column, the tag in the last, unless a header row or running numbers in the first column say
otherwise. A file is read twice: `survey` finds its columns, documents and tags, `read` gives its sentences.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import IO, Any

from components.corpus.formats.base import Format, Record, Sample, Source, Survey, rejected
from components.corpus.options import ReadOptions
from components.corpus.records import InvalidRecord, Read, TokenRecord, quote
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
_NUMBERED_SHARE = 0.98  # of the sentences have running numbers in the first column
_UNBROKEN = 1000  # tokens in a file without a blank line, which is then no sentence


def looks_like_columns(lines: Sequence[str]) -> bool:
    """Whether some lines are columns with tags in the last: for files whose ending does not say it."""
    rows = [_cells(line.rstrip()) for line in lines[:200] if _kind_of(line.rstrip()) == _TOKEN]
    if not rows or any(len(cells) < 2 for cells in rows[:-1]):
        return False
    tags = [cells[-1] for cells in rows if len(cells) > 1]
    pairs = Counter(pairwise(("", *tags, "")))
    tag_format = detect_tag_format(pairs)
    fitting = sum(tag_format.accepts(tag) for tag in tags)
    return fitting > 0.8 * len(tags)


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

    def survey(self, source: Source) -> Survey:
        """Finds the columns of token and tag, and counts tags and documents. `#` lines count for documents only."""
        counts = _Counts(source.options)
        tokens: list[str] = []
        tags: list[str] = []
        widths: list[int] = []  # columns of each line, negative where spaces divide them
        for line in _with_line_ends(source):
            line = line.rstrip()
            kind = _TOKEN if line and line[0] not in _SPECIAL else _kind_of(line)
            if kind == _TOKEN:
                if "\t" in line:
                    cells = line.split("\t")
                    widths.append(len(cells))
                else:
                    cells = _cells(line)
                    widths.append(-len(cells))
                if counts.tag is None:
                    counts.see_first_row(cells)
                tokens.append(cells[0])
                tags.append(cells[-1].lstrip() if counts.tag == -1 else counts.tag_of(cells))
            elif kind != _COMMENT:
                if tokens:
                    counts.add_sentence(tokens, tags, widths)
                    tokens, tags, widths = [], [], []
                if kind != _BLANK:
                    counts.add_document_mark()
        if tokens:
            counts.add_sentence(tokens, tags, widths)
        return counts.survey(source.path)

    def read(self, source: Source) -> Iterator[Record]:
        """The sentences of the file.

        A document is known by the id of its `# newdoc` line, else by a digest of its first sentence, so that it keeps
        its identity, and with it its split, when documents are added before it.
        """
        layout = _Layout(**source.layout)
        documents = _Documents()
        rows: list[tuple[int, str]] = []
        header = layout.header
        for number, line in enumerate(source.lines(), start=1):
            stripped = line.rstrip()
            kind = _TOKEN if stripped and stripped[0] not in _SPECIAL else _kind_of(stripped)
            if kind != _TOKEN and stripped[:1] == "#" and layout.is_token_line(stripped):
                kind = _TOKEN
            if kind == _TOKEN:
                if header:
                    header = False
                else:
                    rows.append((number, line))
                continue
            if kind == _COMMENT:
                continue
            if rows:
                yield _record(rows, layout, documents, source.path)
                rows = []
            if kind != _BLANK:
                documents.begin(_newdoc(stripped) or "")
        if rows:
            yield _record(rows, layout, documents, source.path)

    def write(self, file: IO[Any], items: Iterable[Read]) -> int:
        """Writes token and tag in IOB2, apart by a tab."""
        return write_conll(file, (item.sentence for item in items))


def write_conll(
    file: IO[str],
    sentences: Iterable[Sentence],
    scheme: str = "IOB2",
    predictions: Iterable[Sequence[Span]] | None = None,
) -> int:
    """Writes token and tag, apart by a tab. A `-DOCSTART-` line begins each document.

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
                    f"there are fewer predictions than sentences: sentence {count} has none"
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


# What a line is.
_BLANK, _TOKEN, _COMMENT, _DOCUMENT = range(4)
_SPECIAL = "#-"  # with which lines begin that may be no token


def _kind_of(line: str) -> int:
    """What a line without white space at its end is."""
    if not line:
        return _BLANK
    first = line[0]
    if first == "#":
        return _COMMENT if _newdoc(line) is None else _DOCUMENT
    if (
        first == "-"
        and line.startswith(_DOCSTART)
        and line[len(_DOCSTART) :][:1] in ("", " ", "\t")
    ):
        return _DOCUMENT
    return _TOKEN


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
    yield first
    yield from lines


def _newdoc(line: str) -> str | None:
    """The identity in a `# newdoc id = X` line, "" if it gives none, None if it is another line."""
    if line[:1] != "#":
        return None
    words = line[1:].split()
    if not words or words[0] != _NEWDOC:
        return None
    return " ".join(words[3:]) if words[1:3] == ["id", "="] else ""


def _cells(line: str) -> list[str]:
    """The columns of a line without white space at its end; the last has none at its start either."""
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
    """Counts the lines of a file for its survey."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._widths: Counter[int] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._sentences = self._numbered = self._tokens = self._longest = 0
        self._documents = self._marks = 0
        self._new_document = True
        self._first_row: list[str] | None = None
        self.tag: int | None = None  # index of the column of tags, None before the first row
        self._token = 0
        self._has_header = False

    def tag_of(self, cells: list[str]) -> str:
        """The tag in the columns of a line."""
        try:
            return cells[self.tag or 0].strip()
        except IndexError:
            return ""

    def see_first_row(self, cells: list[str]) -> None:
        """Takes the columns from the settings or the header row, if there are any."""
        self._first_row = cells
        self.tag = -1
        names = [cell.strip().lower() for cell in cells]
        chosen = self._options.columns
        if chosen:
            self._token, self.tag, self._has_header = _chosen_columns(chosen, cells)
        token = [index for index, name in enumerate(names) if name in TOKEN_NAMES]
        tag = [index for index, name in enumerate(names) if name in TAG_NAMES]
        if token and tag:
            self._has_header = True
            if not chosen:
                self._token, last = token[0], tag[-1]
                self.tag = -1 if last == len(cells) - 1 else last

    def add_sentence(self, tokens: list[str], tags: list[str], widths: list[int]) -> None:
        """Counts a sentence."""
        if not self._sentences and self._has_header:
            tokens, tags, widths = tokens[1:], tags[1:], widths[1:]
            if not tokens:
                return
        self._sentences += 1
        self._tokens += len(tokens)
        self._longest = max(self._longest, len(tokens))
        self._widths.update(widths)
        self._pairs.update(pairwise(("", *tags, "")))
        self._documents += self._new_document
        self._new_document = False
        first = tokens[0]
        if first.isdigit() and tokens == [
            str(n) for n in range(int(first), int(first) + len(tokens))
        ]:
            self._numbered += 1

    def add_document_mark(self) -> None:
        """Counts a line that begins a document."""
        self._marks += 1
        self._new_document = True

    def survey(self, path: str) -> Survey:
        """The survey of all that was counted. Raises UserError for a file without sentence borders."""
        common, most = (self._widths.most_common(1) or [(2, 0)])[0]
        width, tabs = abs(common), common > 0
        notices = []
        if self._has_header and not self._options.columns:
            names = [cell.strip() for cell in self._first_row or ()]
            notices.append(
                f"the first row is a header: tokens are read from column {names[self._token]!r},"
                f" tags from {names[self.tag or 0]!r} (other columns: --set columns=TOKEN,TAG)"
            )
        elif (
            width > 2
            and not self._options.columns
            and self._sentences
            and self._numbered >= _NUMBERED_SHARE * self._sentences
        ):
            self._token = 1
            notices.append(
                "the first column holds running numbers: tokens are read from column 2 (another one:"
                " --set columns=TOKEN,TAG)"
            )
        if most < _MAIN_SHARE * self._widths.total():
            kinds = sorted({abs(columns) for columns in self._widths})
            with_tabs = sum(count for columns, count in self._widths.items() if columns > 0)
            tabs = 2 * with_tabs > self._widths.total()
            if kinds[0] > 1:
                notices.append(
                    f"lines have from {kinds[0]} to {kinds[-1]} columns: tokens are read from the first, tags from the"
                    " last (others: --set columns=TOKEN,TAG)"
                )
                width = 0
        if self._sentences <= max(1, self._marks) and self._longest > _UNBROKEN:
            self._refuse_unbroken(path)
        tag = -1 if self.tag is None else self.tag
        layout = _Layout(width, tabs, self._token, tag, self._has_header)
        return Survey(
            self._pairs,
            {name: getattr(layout, name) for name in _Layout.__slots__},
            self._documents,
            self._marks,
            notices,
        )

    def _refuse_unbroken(self, path: str) -> None:
        raise UserError(
            f"{path}: found {self._tokens} tokens and no blank line between sentences; expected a blank line after each"
            " sentence. Put them in, after each token . for example"
        )


def _chosen_columns(chosen: str, cells: list[str]) -> tuple[int, int, bool]:
    """The indices of token and tag that the setting `columns` names, and whether it names them by a header."""
    names = [cell.strip().lower() for cell in cells]
    indices = []
    header = False
    for part in (part.strip() for part in chosen.split(",")):
        is_number = part.removeprefix("-").isdigit()
        if part.lower() in names and not is_number:
            indices.append(names.index(part.lower()))
            header = True
        else:
            try:
                number = int(part)
            except ValueError:
                raise UserError(
                    f"columns={chosen}: found no column named {part}; the first row has {', '.join(cells)}"
                ) from None
            if not number or abs(number) > len(cells):
                raise UserError(
                    f"columns={chosen}: found no column {number}; the first row has {len(cells)} columns"
                )
            indices.append(number - 1 if number > 0 else number)
    return indices[0], indices[1], header


class _Documents:
    """Gives the sentences of a file the identity of their document."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._given = ""
        self._current: str | None = None

    def begin(self, given: str) -> None:
        """A document begins; `given` is the identity that the file gives it, "" if it gives none."""
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
    rows: list[tuple[int, str]], layout: _Layout, documents: _Documents, path: str
) -> Record:
    """The sentence of some token lines, each with its number."""
    tokens: list[str] = []
    tags: list[str] = []
    width, token, tag, tabs = layout.width, layout.token, layout.tag, layout.tabs
    ends_with_token = token == width - 1
    for number, line in rows:
        if tabs:
            cells = (line.rstrip("\r\n") if ends_with_token else line).split("\t")
            if len(cells) == width:
                value = cells[tag].strip()
                if value:
                    tokens.append(cells[token])
                    tags.append(value)
                    continue
        cells = _cells(line.rstrip())
        fits = len(cells) > 1 and cells[-1] and len(cells) == (width or len(cells))
        if not fits or not cells[tag]:
            return rejected(_wrong_columns(number, cells, layout), path, rows)
        tokens.append(cells[token])
        tags.append(cells[tag].strip())
    return TokenRecord(tokens, tags, rows, documents.identity(tokens))


def _wrong_columns(number: int, cells: list[str], layout: _Layout) -> InvalidRecord:
    if len(cells) == 1 or not cells[-1]:
        return InvalidRecord(
            f"the token {quote(cells[0])} without a tag",
            "a token and its tag, apart by a tab or spaces",
            number,
        )
    where = "the token first and its tag last" if (layout.token, layout.tag) == (0, -1) else ""
    return InvalidRecord(
        f"{len(cells)} columns, {quote(' '.join(cells))}",
        f"{layout.width}, as in most lines of the file" + (f", {where}" if where else ""),
        number,
    )


def _refuse_unwritable(token: str, sentence: Sentence) -> None:
    if "\t" in token or "\n" in token or token == _DOCSTART:
        raise ValueError(
            f"{sentence.id or sentence.tokens}: the token {token!r} cannot be written as a CoNLL column"
        )
