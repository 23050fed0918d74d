"""The records of a JSON file, one at a time: JSON Lines, an array, an object that holds an array, or values in a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, count
from typing import IO, Any

from components.corpus.records import InvalidRecord, Row, quote
from components.corpus.text_files import open_text

_CHUNK = 1 << 16
_CUT = 10  # characters from the end of a text, where an error may be due to the cut
_SPACE = re.compile(r"\s*")
# An array of records, each an object or [text, object]; ["text", {…}] is one record itself.
_ARRAY = re.compile(r"\[\s*(?=[\[{\]])")
# An object that is the whole file and holds an array of records, as annotation tools write it with a list of labels.
_CONTAINER = re.compile(
    r'\{[^{]{0,5000}?"(?:annotations|data|examples|documents|records|items|tasks)"\s*:\s*\[\s*'
    r'(?=\[\s*"|\{\s*"(?:text|content|data|tokens|tokenized_text|sentence)")'
)

Items = Iterator[tuple[Any, Row]]


def parse_json(text: str, expected: str = "one JSON object on the line") -> Any:
    """The JSON value of a text. Raises InvalidRecord for invalid JSON, and for an object with a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise InvalidRecord(
            f"no valid JSON ({error.msg} at position {error.pos + 1})", expected
        ) from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits, or brackets as deep
        raise InvalidRecord(f"JSON that cannot be read ({error})", expected) from None


def read_items(path: str, encoding: str = "utf-8") -> Items:
    """The records of a JSON file, each with (line number, text); holds no more than one record in memory.

    A line that is not JSON gives an `InvalidRecord` in place of its value, and reading continues after it. An array that
    is damaged gives the elements before the damage.

    Raises:
      UserError: the file cannot be read, or is not text in the encoding.
    """
    with open_text(path, encoding) as file:
        number, line = _first_line(file)
        if _is_json_lines(line):
            yield from _values_of_lines(number, line, file)
        else:
            yield from _StreamReader(file, line, number).values()


def first_item(text: str) -> Any:
    """The first record in the beginning of a file; None if it is not JSON, `...` if the record is longer than `text`."""
    start = _start_of_first_item(text)
    if text[start : start + 1] not in ("{", "["):
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except json.JSONDecodeError as error:
        is_cut = error.msg.startswith("Unterminated") or error.pos > len(text) - _CUT
        return ... if is_cut and len(text) >= 1 << 19 else None
    except (ValueError, RecursionError):
        return None


def _start_of_first_item(text: str) -> int:
    start = _SPACE.match(text).end()
    match = _ARRAY.match(text, start) or _CONTAINER.match(text, start)
    return match.end() if match else start


def _first_line(file: IO[str]) -> Row:
    """The first line that is not blank, or its first characters where it is very long, with its number."""
    for number in count(1):
        line = file.readline(_CHUNK)
        if line.strip() or not line:
            return number, line
        while line and not line.endswith("\n"):
            line = file.readline(_CHUNK)
    raise AssertionError  # `count` does not end


def _is_json_lines(line: str) -> bool:
    """Whether a file holds a record a line, by its first line: it is neither an array nor a record over several lines."""
    begin = line.strip()
    if _ARRAY.match(begin) or _CONTAINER.match(begin) or begin == "[":
        return False
    return not begin.endswith(("{", "[", ","))


def _values_of_lines(first: int, begin: str, file: IO[str]) -> Items:
    """The value of each line. `begin` is the beginning of the line with the number `first`, which has been read already."""
    rest = "" if begin.endswith("\n") else file.readline()
    for number, line in enumerate(chain([begin + rest], file), start=first):
        if line.strip():
            try:
                yield parse_json(line), (number, line)
            except InvalidRecord as error:
                yield error, (number, line)


class _StreamReader:
    """Decodes JSON values one after the other from a text file, with a buffer of about one value."""

    def __init__(self, file: IO[str], text: str, line: int) -> None:
        self._file, self._text, self._at = file, text, 0
        self.line = line
        self._decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates)

    def skip_space(self) -> str:
        """The next character that is not white space, "" at the end of the file."""
        while True:
            end = _SPACE.match(self._text, self._at).end()
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            if end < len(self._text):
                return self._text[end]
            if not self._read_more():
                return ""

    def enter_array(self) -> bool:
        """Moves to the first element of an array of records; False if there is no array here."""
        while len(self._text) - self._at < _CHUNK and self._read_more():
            pass
        self.skip_space()
        match = _ARRAY.match(self._text, self._at) or _CONTAINER.match(self._text, self._at)
        if match:
            self.line += match[0].count("\n")
            self._at = match.end()
        return match is not None

    def values(self) -> Items:
        """The elements of an array, of an array in an object, or values in a row, with the line each begins on."""
        in_array = self.enter_array()
        while (character := self.skip_space()) and not (in_array and character == "]"):
            if in_array and character == ",":
                self._at += 1
                continue
            item = self._value()
            yield item
            if isinstance(item[0], InvalidRecord):
                return

    def _value(self) -> tuple[Any, Row]:
        line = self.line
        wanted = _CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except InvalidRecord as error:
                invalid = error
            except json.JSONDecodeError as error:
                if self._read_more(wanted):
                    wanted *= 2
                    continue
                at = line + self._text.count("\n", self._at, error.pos)
                invalid = InvalidRecord(f"no valid JSON ({error.msg})", "JSON that is complete", at)
            except (ValueError, RecursionError) as error:
                invalid = InvalidRecord(
                    f"JSON that cannot be read ({error})", "JSON that can be read"
                )
            else:
                raw = self._text[self._at : end]
                self.line += raw.count("\n")
                self._at = end
                return value, (line, raw)
            return invalid, (line, self._text[self._at : self._at + 200])

    def _read_more(self, count: int = _CHUNK) -> bool:
        more = self._file.read(count)
        if not more:
            return False
        self._text = self._text[self._at :] + more
        self._at = 0
        return True


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidRecord(f"the key {quote(twice)} twice in one object", "each key once")
    return entry
