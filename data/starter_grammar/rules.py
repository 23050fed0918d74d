"""Reads the rule files and parses their patterns.

A file is a list of sections. `= name` opens one; `= name split` says that its entries are dealt out between the splits.
In rules/ every line below is one pattern; in words/ entries are parted by commas, and a line that holds `%` or `~`
is one entry of its own. Lines that start with `#` are comments.

A pattern is text with

    <one|two|>          one of these
    {name}              one pattern or entry of that section
    {P1}, {F2.short}    a mention of a referent of the document, see referents.py
    {2-40}, {1.5-9.9}   a number, see numerals.py
    {a}                 a or an, as the next word asks
    [MONEY:...]         an entity

and `\\` before a character that would otherwise mean something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .dice import digest

HOME = Path(__file__).parent
SPLITS = ("train", "dev", "test")
# Of a hundred names that are dealt out, this many are train's, dev's and test's own.
NAME_SHARES = (60, 20, 20)
# Of a hundred sentence patterns, this many are never used in train.
HELD_OUT_PATTERNS = 22


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Call:
    name: str


@dataclass(frozen=True)
class Choice:
    options: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Entity:
    type: str
    inside: tuple[Node, ...]


Node = Text | Call | Choice | Entity


@dataclass(frozen=True)
class Section:
    name: str
    entries: tuple[str, ...]
    dealt_out: bool

    def own(self, split: str) -> tuple[str, ...]:
        """The entries that are this split's own; all where the section is not dealt out, or too small for it."""
        return _own(self.entries, split) if self.dealt_out else self.entries


@cache
def _own(entries: tuple[str, ...], split: str) -> tuple[str, ...]:
    return tuple(entry for entry in entries if owner(entry) == split) or entries


@cache
def owner(name: str) -> str:
    """The one split that a name belongs to."""
    place = digest("owner", name) % sum(NAME_SHARES)
    for split, share in zip(SPLITS, NAME_SHARES):
        if place < share:
            return split
        place -= share
    raise AssertionError("unreachable: the shares add up")


@cache
def held_out(pattern: str) -> bool:
    """Whether a sentence pattern is kept for dev and test."""
    return digest("pattern", pattern) % 100 < HELD_OUT_PATTERNS


@cache
def load() -> dict[str, Section]:
    """All sections of all files by name."""
    sections: dict[str, Section] = {}
    for path in sorted(HOME.glob("rules/*.txt")) + sorted(HOME.glob("words/*.txt")):
        for section in _sections(path):
            if section.name in sections:
                raise ValueError(f"{path.name}: section '{section.name}' is there twice")
            sections[section.name] = section
    return sections


def _sections(path: Path) -> Iterator[Section]:
    header, entries = "", []
    for line in path.read_text(encoding="utf-8").splitlines() + ["= "]:
        if line.startswith("= "):
            if header:
                name, _, mode = header.partition(" ")
                yield Section(name, tuple(entries), mode == "split")
            header, entries = line[2:].strip(), []
        elif line.strip() and not line.startswith("#"):
            whole = path.parent.name == "rules" or "~" in line
            entries += (
                [line.strip()]
                if whole
                else [e for part in line.split(", ") if (e := part.strip(" ,"))]
            )


@cache
def parse(pattern: str) -> tuple[Node, ...]:
    """'<a|b> c' -> (Choice(((Text('a'),), (Text('b'),))), Text(' c'))"""
    nodes, end = _sequence(pattern, 0, "")
    if end != len(pattern):
        raise ValueError(f"unbalanced '{pattern[end]}' at column {end + 1} of: {pattern}")
    return nodes


def _sequence(pattern: str, at: int, stops: str) -> tuple[tuple[Node, ...], int]:
    nodes: list[Node] = []
    text = ""
    while at < len(pattern) and pattern[at] not in stops:
        here = pattern[at]
        if here == "\\":
            text += pattern[at + 1]
            at += 2
            continue
        if here not in "<[{":
            if here in ">|]}":
                break
            text += here
            at += 1
            continue
        if text:
            nodes.append(Text(text))
            text = ""
        node, at = _BRACKETS[here](pattern, at + 1)
        nodes.append(node)
    if text:
        nodes.append(Text(text))
    return tuple(nodes), at


def _choice(pattern: str, at: int) -> tuple[Node, int]:
    options = []
    while True:
        nodes, at = _sequence(pattern, at, "|>")
        options.append(nodes)
        if at >= len(pattern):
            raise ValueError(f"'<' is never closed: {pattern}")
        at += 1
        if pattern[at - 1] == ">":
            return Choice(tuple(options)), at


def _entity(pattern: str, at: int) -> tuple[Node, int]:
    found = re.compile(r"([A-Z_]+):").match(pattern, at)
    if not found:
        raise ValueError(f"'[' without TYPE: at column {at} of: {pattern}")
    nodes, at = _sequence(pattern, found.end(), "]")
    if at >= len(pattern):
        raise ValueError(f"'[' is never closed: {pattern}")
    return Entity(found.group(1), nodes), at + 1


def _call(pattern: str, at: int) -> tuple[Node, int]:
    end = pattern.index("}", at)
    return Call(pattern[at:end]), end + 1


_BRACKETS = {"<": _choice, "[": _entity, "{": _call}
