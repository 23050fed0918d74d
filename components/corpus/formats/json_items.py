"""The records of a JSON file, one at a time: JSON Lines, an array, an object that holds an array, or values in a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from components.corpus.records import InvalidRecord, quote
from components.corpus.text_files import open_text, undecodable
from components.errors import UserError

_CHUNK = 1 << 16
_SPACE = re.compile(r"\s*")
# An array of records, each an object or [text, object]; ["text", {…}] is one record itself.
_ARRAY = re.compile(r"\[\s*(?=[\[{\]])")
# An object of the whole file that holds such an array, as annotation tools write it beside a list of their labels.
_CONTAINER = re.compile(
    r'\{[^{]{0,5000}?"(?:annotations|data|examples|documents|records|items|tasks)"\s*:\s*\[\s*'
    r'(?=\[\s*"|\{\s*"(?:text|content|data|tokens|tokenized_text|sentence)")'
)

Items = Iterator[tuple[Any, tuple[int, str]]]


def parse_json(text: str, expected: str = "one JSON object on the line") -> Any:
    """The JSON value of a text. Raises InvalidRecord where there is none, or an object has a key twice."""
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

    A line that is no JSON is given as an `InvalidRecord` in place of its value, and reading goes on after it. Elements
    of an array that is damaged are given up to the damage.

    Raises:
      UserError: the file cannot be read, or is not text in the encoding.
    """
    with open_text(path, encoding) as file:
        try:
            first = _first_line(file)
            if first is None:
                return
            number, line = first
            if _is_json_lines(line):
                yield from _values_of_lines(number, line, file)
            else:
                yield from _values_of_stream(number, line, file)
        except UnicodeError as error:
            raise UserError(undecodable(path, encoding)) from error
        except (OSError, EOFError) as error:
            raise UserError(f"{path}: {error}; expected a file that can be read") from error


def first_item(text: str) -> Any:
    """The first record in the beginning of a file; None if it is not JSON, `...` if the record is longer than `text`."""
    start = _start_of_first_item(text)
    if text[start : start + 1] not in ("{", "["):
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except RecursionError:
        return None
    except ValueError:
        return ... if len(text) >= 1 << 19 else None


def _start_of_first_item(text: str) -> int:
    start = _SPACE.match(text).end()
    match = _ARRAY.match(text, start) or _CONTAINER.match(text, start)
    return match.end() if match else start


def _first_line(file: IO[str]) -> tuple[int, str] | None:
    """The first line that is not blank, or its first characters where it is very long, with its number."""
    number = 0
    while True:
        line = file.readline(_CHUNK)
        if not line:
            return None
        number += 1
        if line.strip():
            return number, line
        while not line.endswith("\n") and line:
            line = file.readline(_CHUNK)


def _is_json_lines(line: str) -> bool:
    """Whether a file holds a record a line, by its first line: it is neither an array nor a record over several lines."""
    begin = line.strip()
    if _ARRAY.match(begin) or _CONTAINER.match(begin) or begin == "[":
        return False
    return not begin.endswith(("{", "[", ","))


def _values_of_lines(number: int, line: str, file: IO[str]) -> Items:
    while line:
        while not line.endswith("\n"):
            more = file.readline()
            if not more:
                break
            line += more
        if line.strip():
            yield _parsed(line), (number, line)
        number += 1
        line = file.readline()


def _parsed(line: str) -> Any:
    try:
        return parse_json(line)
    except InvalidRecord as error:
        return error


def _values_of_stream(number: int, text: str, file: IO[str]) -> Items:
    """The elements of an array, of an array in an object, or of values in a row, with the line each begins on."""
    reader = _StreamReader(file, text, number)
    if reader.enter_array():
        yield from reader.elements()
    else:
        yield from reader.values()


class _StreamReader:
    """Decodes one JSON value after the other from a text file, with a buffer of about one value."""

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
        """Moves to the first element of the array of records here; False where there is none."""
        while len(self._text) - self._at < _CHUNK and self._read_more():
            pass
        self.skip_space()
        match = _ARRAY.match(self._text, self._at) or _CONTAINER.match(self._text, self._at)
        if match:
            self.line += match[0].count("\n")
            self._at = match.end()
        return match is not None

    def elements(self) -> Items:
        """The elements of the array that is open here."""
        while self.skip_space() not in ("", "]"):
            if self._text[self._at] == ",":
                self._at += 1
                continue
            item = self._value()
            yield item
            if isinstance(item[0], InvalidRecord):
                return

    def values(self) -> Items:
        """Values in a row, as programs write them that indent JSON Lines."""
        while self.skip_space():
            item = self._value()
            yield item
            if isinstance(item[0], InvalidRecord):
                return

    def _value(self) -> tuple[Any, tuple[int, str]]:
        line = self.line
        wanted = _CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except InvalidRecord as error:
                return error, (line, self._text[self._at : self._at + 200])
            except json.JSONDecodeError as error:
                if self._read_more(wanted):
                    wanted *= 2
                    continue
                found = f"no valid JSON ({error.msg})"
                at = line + self._text.count("\n", self._at, error.pos)
                invalid = InvalidRecord(found, "JSON that is whole", at)
                return invalid, (line, self._text[self._at : self._at + 200])
            except (ValueError, RecursionError) as error:
                invalid = InvalidRecord(f"JSON that cannot be read ({error})", "JSON that is whole")
                return invalid, (line, self._text[self._at : self._at + 200])
            raw = self._text[self._at : end]
            self.line += raw.count("\n")
            self._at = end
            return value, (line, raw)

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
