"""Data over time: which spans there are, which version of each counts, and whether it is whole; needs no TFX.

A span is a folder `span-N` with a corpus in it, or with corrected ones in folders `version-M`, of which the highest counts.
A path with TFX's `{SPAN}` or `{YYYY}`, `{MM}` and `{DD}`, and perhaps `{VERSION}`, names other places.
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
    """A span, or the newest version of it: `version` is 0 where the span has none; `path` is its file or folder.

    `lacking` says what keeps it from being whole, "" if nothing does.
    """

    number: int
    version: int
    path: str
    lacking: str = ""

    @property
    def whole(self) -> bool:
        """Whether all of it is there."""
        return not self.lacking

    def __str__(self) -> str:
        return f"span {self.number}" + (f" version {self.version}" if self.version else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """When a span is whole.

    `marker`: name of a file that is written into it last; of a span that is a single file it lies beside it, as
    `FILE.MARKER`. `quiet_seconds`: for how long nothing in it may have changed.
    """

    marker: str | None = None
    quiet_seconds: float = 0


ALL_AT_ONCE = Rules()


def is_spans(path: str | os.PathLike[str]) -> bool:
    """Whether the path stands for spans: a folder with folders `span-…` in it, or a pattern with `{SPAN}` or a date."""
    path = os.fspath(path)
    return _is_pattern(path) or (os.path.isdir(path) and any(_span_folders(path)))


def find_spans(
    path: str | os.PathLike[str], rules: Rules = ALL_AT_ONCE, now: float | None = None
) -> tuple[DataSpan, ...]:
    """All spans under a path, by number, each in its highest version.

    Args:
      path: a folder with folders `span-N`, or a pattern with `{SPAN}` (`{SPAN:3}` for three digits) or `{YYYY}`, `{MM}` and
        `{DD}`, whose number is that of days since 1970, and perhaps `{VERSION}`.
      rules: when a span is whole.
      now: the time in seconds since 1970; by default the clock's.

    Raises:
      UserError: a pattern that TFX would not take either, a folder whose number is none, or two folders of one number.
    """
    path = os.path.abspath(os.fspath(path))
    now = time.time() if now is None else now
    found: dict[tuple[int, int], str] = {}
    for number, version, place in _matching(path, rules) if _is_pattern(path) else _in_folder(path):
        other = found.setdefault((number, version), place)
        if other != place:
            raise UserError(
                f"{place}: has the same number as {other}; expected one folder for each span and version. Remove one of them"
            )
    newest = {number: (version, place) for (number, version), place in sorted(found.items())}
    return tuple(
        DataSpan(number, version, place, _lacking(place, rules, now))
        for number, (version, place) in sorted(newest.items())
    )


def _in_folder(folder: str) -> Iterator[tuple[int, int, str]]:
    """Number, version and place of each span in a folder; the span as it first came is version 0."""
    for place in _span_folders(folder):
        number = _number(place, _SPAN)
        versions = _subfolders(place, _VERSION)
        for version in versions:
            yield number, _number(version, _VERSION), version
        if not versions:
            yield number, 0, place


def _span_folders(folder: str) -> list[str]:
    return _subfolders(folder, _SPAN)


def _subfolders(folder: str, prefix: str) -> list[str]:
    try:
        return sorted(
            entry.path
            for entry in os.scandir(folder)
            if entry.name.startswith(prefix) and entry.is_dir()
        )
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; expected a folder that can be read") from None


def _number(place: str, prefix: str) -> int:
    digits = base_name(place).removeprefix(prefix)
    if not (digits.isascii() and digits.isdigit()):
        raise UserError(
            f"{place}: found {digits!r} where the number is expected, as in {prefix}7; rename the folder, or move it away"
        )
    return int(digits)


def _is_pattern(path: str) -> bool:
    return bool(_SPEC.search(path))


def _matching(pattern: str, rules: Rules) -> Iterator[tuple[int, int, str]]:
    """Number, version and place of everything that matches a pattern, by TFX's rules (`tfx.components.example_gen.utils`)."""
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
    for place in sorted(glob.glob(looks)):
        if rules.marker and place.endswith(f".{rules.marker}"):
            continue
        match = re.fullmatch(exactly, place)
        if not match:
            raise UserError(
                f"{place}: found another width than {pattern} asks for; rename it, or move it away"
            )
        yield *_read(match.groupdict(), place), place


def _check(pattern: str) -> None:
    """Raises UserError for a pattern that TFX would not take."""
    names = [spec[1] for spec in _SPEC.finditer(pattern)]
    dates = sorted(name for name in names if name in _DATE)
    problem = ""
    if any(
        spec[2] is not None and not (spec[2].isdigit() and int(spec[2]) > 0)
        for spec in _SPEC.finditer(pattern)
    ):
        problem = "a width that is no positive number; expected one as in {SPAN:3}"
    elif len(set(names)) < len(names):
        problem = "a part that comes twice; expected each once"
    elif dates and dates != sorted(_DATE):
        problem = f"{' and '.join(f'{{{name}}}' for name in dates)} alone; expected {{YYYY}}, {{MM}} and {{DD}} together"
    elif bool(dates) == ("SPAN" in names):
        problem = "no {SPAN}, or both {SPAN} and a date; expected one of them"
    if problem:
        raise UserError(f"{pattern}: found {problem}")


def _read(values: dict[str, str], place: str) -> tuple[int, int]:
    """The number and the version of a place."""
    wrong = [text for text in values.values() if not (text.isascii() and text.isdigit())]
    if wrong:
        raise UserError(
            f"{place}: found {wrong[0]!r} where the pattern has a number; move what is no span away"
        )
    version = int(values.get("VERSION", 0))
    if "SPAN" in values:
        return int(values["SPAN"]), version
    try:
        day = datetime.date(*(int(values[name]) for name in _DATE))
    except ValueError as error:
        raise UserError(f"{place}: found no date ({error}); rename it, or move it away") from None
    return (day - _EPOCH).days, version


def _lacking(place: str, rules: Rules, now: float) -> str:
    """What keeps a span from being whole, "" if nothing does."""
    folder = os.path.isdir(place)
    marker = rules.marker and (
        os.path.join(place, rules.marker) if folder else f"{place}.{rules.marker}"
    )
    if marker and not os.path.exists(marker):
        return f"{os.path.basename(marker)} is not there yet (spans.marker)"
    try:
        entries = [(entry, entry.stat()) for entry in os.scandir(place)] if folder else []
        whole = os.stat(place)
    except FileNotFoundError:
        return "it changes just now"
    data = (
        [found.st_size for entry, found in entries if _is_data(entry, rules)]
        if folder
        else [whole.st_size]
    )
    if not any(data):
        return "it holds no data"
    quiet = now - max(whole.st_mtime, *(found.st_mtime for _, found in entries), 0.0)
    if rules.quiet_seconds and quiet < rules.quiet_seconds:
        return f"it changed {max(quiet, 0):.0f} s ago, and is whole after {rules.quiet_seconds:g} s (spans.quiet_seconds)"
    return ""


def _is_data(entry: os.DirEntry, rules: Rules) -> bool:
    return entry.is_file() and not entry.name.startswith(".") and entry.name != rules.marker
