"""Spans of data over time: their numbers, the version of each that counts, and whether it is complete.

A span is a folder `span-N` with a corpus, or with corrected corpora in folders `version-M`, of which the highest counts.
A path may also be a pattern of TFX with `{SPAN}`, or with `{YYYY}`, `{MM}` and `{DD}`, and perhaps `{VERSION}`.
"""

from __future__ import annotations

import datetime
import glob
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from components.corpus.text_files import base_name
from components.errors import UserError

_SPAN, _VERSION = "span-", "version-"
_SPEC = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::([^}]*))?\}")
_DATE = {"YYYY": 4, "MM": 2, "DD": 2}  # digits
_EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, order=True)
class DataSpan:
    """A span in its newest version."""

    number: int
    version: int
    """0 for a span without versions."""
    path: str
    """Its file or folder."""
    lacking: str = ""
    """The reason why it is not complete, "" if it is."""

    @property
    def whole(self) -> bool:
        """Whether the span is complete."""
        return not self.lacking

    def __str__(self) -> str:
        return f"span {self.number}" + (f" version {self.version}" if self.version else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """When a span is complete."""

    marker: str | None = None
    """Name of a file that is written into the span last; for a span that is a single file, `FILE.MARKER`."""
    quiet_seconds: float = 0
    """Seconds for which no file of the span may have changed."""


ALL_AT_ONCE = Rules()


def is_spans(path: str | os.PathLike[str]) -> bool:
    """Whether a path holds spans: a folder with folders `span-…`, or a pattern with `{SPAN}` or a date."""
    path = os.fspath(path)
    return _is_pattern(path) or (os.path.isdir(path) and any(_subfolders(path, _SPAN)))


def find_spans(
    path: str | os.PathLike[str], rules: Rules = ALL_AT_ONCE, now: float | None = None
) -> tuple[DataSpan, ...]:
    """All spans of a path, by number, each in its highest version.

    Args:
      path: a folder with folders `span-N`, or a pattern with `{SPAN}` (`{SPAN:3}` for three digits) or with `{YYYY}`,
        `{MM}` and `{DD}`, where the number is that of days since 1970, and perhaps `{VERSION}`.
      rules: when a span is complete.
      now: the time in seconds since 1970; by default the time of the call.

    Raises:
      UserError: a pattern that TFX would refuse, a folder without a number, or two folders with the same number.
    """
    path = os.path.abspath(os.fspath(path))
    now = time.time() if now is None else now
    paths: dict[tuple[int, int], str] = {}
    for number, version, found in _matching(path, rules) if _is_pattern(path) else _in_folder(path):
        other = paths.setdefault((number, version), found)
        if other != found:
            raise UserError(
                f"{found}: has the same number as {other}; expected one folder for each span and version. Remove one of them"
            )
    newest = {number: (version, found) for (number, version), found in sorted(paths.items())}
    return tuple(
        DataSpan(number, version, found, _lacking(found, rules, now))
        for number, (version, found) in sorted(newest.items())
    )


def _in_folder(folder: str) -> Iterator[tuple[int, int, str]]:
    """Number, version and path of each span in a folder; a span without versions is version 0."""
    for path in _subfolders(folder, _SPAN):
        number = _number(path, _SPAN)
        versions = _subfolders(path, _VERSION)
        for version in versions:
            yield number, _number(version, _VERSION), version
        if not versions:
            yield number, 0, path


def _subfolders(folder: str, prefix: str) -> list[str]:
    try:
        return sorted(
            entry.path
            for entry in os.scandir(folder)
            if entry.name.startswith(prefix) and entry.is_dir()
        )
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; expected a folder that can be read") from None


def _number(path: str, prefix: str) -> int:
    digits = base_name(path).removeprefix(prefix)
    if not (digits.isascii() and digits.isdigit()):
        raise UserError(
            f"{path}: found {digits!r} where the number is expected, as in {prefix}7; rename the folder, or move it away"
        )
    return int(digits)


def _is_pattern(path: str) -> bool:
    return bool(_SPEC.search(path))


def _matching(pattern: str, rules: Rules) -> Iterator[tuple[int, int, str]]:
    """Number, version and path of the spans that match a pattern, by the rules of `tfx.components.example_gen.utils`."""
    pattern = pattern.removesuffix("/*")  # as TFX's pattern of the files in a folder
    _check(pattern)
    looks, exactly, last = "", "", 0
    for spec in _SPEC.finditer(pattern):
        name, width = spec[1], spec[2] or _DATE.get(spec[1])
        between = pattern[last : spec.start()]
        looks += glob.escape(between) + "*"
        exactly += re.escape(between) + f"(?P<{name}>[^/]{f'{{{width}}}' if width else '*'})"
        last = spec.end()
    looks, exactly = looks + glob.escape(pattern[last:]), exactly + re.escape(pattern[last:])
    for path in sorted(glob.glob(looks)):
        if rules.marker and path.endswith(f".{rules.marker}"):
            continue
        match = re.fullmatch(exactly, path)
        if not match:
            raise UserError(
                f"{path}: found another width than in {pattern}; rename it, or move it away"
            )
        yield *_read(match.groupdict(), path), path


def _check(pattern: str) -> None:
    """Raises UserError for a pattern that TFX would refuse."""
    names = [spec[1] for spec in _SPEC.finditer(pattern)]
    dates = sorted(name for name in names if name in _DATE)
    problem = ""
    if any(
        spec[2] is not None and not (spec[2].isdigit() and int(spec[2]) > 0)
        for spec in _SPEC.finditer(pattern)
    ):
        problem = "a width that is not a positive integer; expected a width as in {SPAN:3}"
    elif len(set(names)) < len(names):
        problem = "a part twice; expected each part once"
    elif dates and dates != sorted(_DATE):
        problem = f"{' and '.join(f'{{{name}}}' for name in dates)} alone; expected {{YYYY}}, {{MM}} and {{DD}} together"
    elif bool(dates) == ("SPAN" in names):
        problem = "no {SPAN}, or both {SPAN} and a date; expected either"
    if problem:
        raise UserError(f"{pattern}: found {problem}")


def _read(values: dict[str, str], path: str) -> tuple[int, int]:
    """The number and the version of a span, from the parts of its path."""
    wrong = [text for text in values.values() if not (text.isascii() and text.isdigit())]
    if wrong:
        raise UserError(
            f"{path}: found {wrong[0]!r} where the pattern has a number; move files that are not spans away"
        )
    version = int(values.get("VERSION", 0))
    if "SPAN" in values:
        return int(values["SPAN"]), version
    try:
        day = datetime.date(*(int(values[name]) for name in _DATE))
    except ValueError as error:
        raise UserError(f"{path}: found no date ({error}); rename it, or move it away") from None
    return (day - _EPOCH).days, version


def _lacking(path: str, rules: Rules, now: float) -> str:
    """The reason why a span is not complete, "" if it is."""
    folder = os.path.isdir(path)
    marker = rules.marker and (
        os.path.join(path, rules.marker) if folder else f"{path}.{rules.marker}"
    )
    if marker and not os.path.exists(marker):
        return f"{os.path.basename(marker)} is not there yet (spans.marker)"
    try:
        entries = [(entry, entry.stat()) for entry in os.scandir(path)] if folder else []
        whole = os.stat(path)
    except FileNotFoundError:
        return "it is changing"
    data = (
        [found.st_size for entry, found in entries if _is_data(entry, rules)]
        if folder
        else [whole.st_size]
    )
    if not any(data):
        return "it holds no data"
    quiet = now - max(whole.st_mtime, *(found.st_mtime for _, found in entries), 0.0)
    if rules.quiet_seconds and quiet < rules.quiet_seconds:
        return f"it changed {max(quiet, 0):.0f} s ago, and is complete after {rules.quiet_seconds:g} s (spans.quiet_seconds)"
    return ""


def _is_data(entry: os.DirEntry, rules: Rules) -> bool:
    return entry.is_file() and not entry.name.startswith(".") and entry.name != rules.marker
