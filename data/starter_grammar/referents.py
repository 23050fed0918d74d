"""Who and what a document speaks of: people, organisations and places with the several forms of their names.

A name is a split's own in three draws of four; the others are train's. Names that nobody bears are put together from
parts, and dealt out between the splits by the whole name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .dice import Dice
from .rules import Section, owner

OWN_SHARE = 0.75


@dataclass(frozen=True)
class Person:
    first: str
    last: str
    middle: str
    female: bool


@dataclass(frozen=True)
class Named:
    """An organisation or a place. `short` may be a common noun ("council"), all in lower case."""

    full: str
    short: str


class Names:
    """Draws names for one document of one split."""

    def __init__(self, sections: dict[str, Section], split: str, dice: Dice) -> None:
        self.sections, self.split, self.dice = sections, split, dice

    def entry(self, name: str) -> str:
        """One entry of a section, of this split where the section is dealt out."""
        section = self.sections[name]
        return self.dice.choice(section.own(self.pool()) if section.dealt_out else section.entries)

    def pool(self) -> str:
        return self.split if self.dice.chance(OWN_SHARE) else "train"

    def made(self, make: Callable[[], str]) -> str:
        """A put-together name that belongs to the pool drawn."""
        wanted = self.pool()
        while True:
            name = make()
            if owner(name) == wanted:
                return name

    # --- people

    def person(self) -> Person:
        female = self.dice.chance(0.5)
        kind = "f" if female else "m"
        first = self.entry(f"first.word.{kind}" if self.dice.chance(0.2) else f"first.{kind}")
        middle = self.dice.choice("ABCDEFGHJKLMNPRSTVW")
        while (last := self.last()) == first:
            pass
        return Person(first, last, middle, female)

    def last(self) -> str:
        style = self.dice.between(1, 100)
        if style <= 40:
            return self.entry("last")
        if style <= 58:
            return self.entry("last.word")
        if style <= 94:
            return self.made(lambda: self.entry("last.start") + self.entry("last.end"))
        if style <= 97:
            return f"{self.entry('last')}-{self.entry('last')}"
        return self.entry("last.prefixed")

    # --- organisations

    def organisation(self, kind: str) -> Named:
        """kind: a section of `full ~ short` patterns."""
        full, short = self.entry(kind).split(" ~ ")
        root, other = self.root(kind), ""
        for wanted in ("{last}", "{country}", "{city}", "{saint}", "{2-9}"):
            if wanted not in full:
                continue
            if full.count(wanted) > 1:
                other = self.last()
                full = full.replace(wanted, other, 1)
                short = short.replace(wanted, other, 1)
            value = self._part(wanted)
            full, short = full.replace(wanted, value), short.replace(wanted, value)
        full = full.replace("%", root)
        if short == "@":
            short = initials(full)
        return Named(full, short.replace("%", root))

    def _part(self, wanted: str) -> str:
        if wanted == "{last}":
            return self.last()
        if wanted == "{2-9}":
            return str(self.dice.between(2, 9))
        return self.entry({"{saint}": "town.saint"}.get(wanted, wanted[1:-1])).removeprefix("the ")

    def root(self, kind: str) -> str:
        """What a firm is called after; all else is called after a place."""
        style = self.dice.between(1, 100)
        if kind not in ("firm", "bank"):
            return self.town() if style <= 75 else self.entry("city").removesuffix(" City")
        if style <= 48:
            return self.made(lambda: self.entry("firm.start") + self.entry("firm.end"))
        if style <= 68:
            return self.entry("firm.noun")
        if style <= 76:
            return self.last()
        if style <= 84:
            return self.town()
        return self.made(lambda: f"{self.entry('firm.noun')} {self.entry('firm.tail')}")

    def firm(self) -> Named:
        """One firm in five exists, under a name that is a word as well."""
        if self.dice.chance(0.2):
            name = self.entry("firm.word")
            return Named(name, name)
        return self.organisation("firm")

    # --- places

    def town(self) -> str:
        return self.made(lambda: self.entry("town.start") + self.entry("town.end"))

    def place(self, section: str) -> str:
        """section: a section of patterns in which % is a town."""
        pattern = self.entry(section)
        for wanted, make in (
            ("%", self.town),
            ("{last}", self.last),
            ("{saint}", lambda: self.entry("town.saint")),
            ("{river}", lambda: self.entry("river")),
        ):
            if wanted in pattern:
                pattern = pattern.replace(wanted, make())
        return pattern

    def settlement(self) -> str:
        return self.entry("city") if self.dice.chance(0.4) else self.place("place")


def initials(name: str) -> str:
    """'University of San Remo' -> 'USR'"""
    words = name.replace("-", " ").replace("&", " ").split()
    kept = "".join(word[0] for word in words if word[0].isupper())
    return kept if len(kept) > 1 else name
