"""Expands patterns within one document, so that its people, firms and places stay the same from sentence to sentence.

A call in capitals is a referent: a letter for its kind, a number for which of the document's, and a form.

    {P1}        the person, as this genre would write it at this point: in full at first, shorter later
    {P}         a person mentioned this once
    {F2.full}   the form asked for

P person, F firm, B bank or fund, H hospital, U university, G public body, T team, N paper or channel;
L town, C country, R region, S street, V river, park and the like, K stadium or hall, A airport or station.
"""

from __future__ import annotations

import re

from .dice import Dice
from .numerals import numeral
from .referents import Named, Names, Person
from .rules import Call, Choice, Entity, Node, Section, Text, parse
from .text import ARTICLE, mark

REFERENT = re.compile(r"([PFBHUGTNLCRSVKA])(\d?)(?:\.([a-z]+))?")
ORGANISATIONS = {
    "B": "bank",
    "H": "hospital",
    "U": "university",
    "G": "government",
    "T": "team",
    "N": "paper",
}
PLACES = {"C": "country", "R": "region"}
# Of a woman, of a man.
PRONOUNS = {
    "he": ("she", "he"),
    "him": ("her", "him"),
    "his": ("her", "his"),
    "sex": ("woman", "man"),
    "mf": ("F", "M"),
    "mr": ("Ms.", "Mr."),
    "sibling": ("sister", "brother"),
    "child": ("daughter", "son"),
    "spouse": ("wife", "husband"),
    "aunt": ("aunt", "uncle"),
}
# How a person is named again, after the first mention, in each genre.
LATER_FORMS = {
    "news": ("last", "last", "last", "last", "last", "titled", "full"),
    "finance": ("last", "last", "last", "titled", "full"),
    "clinical": ("titled", "titled", "last", "full"),
    "mail": ("first", "first", "first", "full", "last"),
    "chat": ("first", "first", "first", "first", "last"),
}
FIRST_FORMS = {
    "news": ("full",) * 9 + ("initial",),
    "finance": ("full",) * 8 + ("initial", "titled"),
    "clinical": ("full", "full", "titled"),
    "mail": ("full", "full", "full", "first", "first"),
    "chat": ("first", "first", "first", "full", "last"),
}


class Scene:
    """One document in the making."""

    def __init__(self, sections: dict[str, Section], split: str, genre: str, dice: Dice) -> None:
        self.sections, self.genre, self.dice = sections, genre, dice
        self.names = Names(sections, split, dice)
        self._referents: dict[str, Person | Named] = {}
        self._mentioned: set[str] = set()

    def expand(self, pattern: str) -> str:
        """Marked text for a pattern."""
        return "".join(self._node(node) for node in parse(pattern))

    def _node(self, node: Node) -> str:
        if isinstance(node, Text):
            return node.text
        if isinstance(node, Choice):
            return "".join(self._node(inner) for inner in self.dice.choice(node.options))
        if isinstance(node, Entity):
            return mark(node.type, "".join(self._node(inner) for inner in node.inside))
        return self._call(node)

    def _call(self, node: Call) -> str:
        if node.name == "a":
            return ARTICLE
        if (number := numeral(node.name, self.dice)) is not None:
            return number
        if found := REFERENT.fullmatch(node.name):
            return self._mention(*found.groups())
        if node.name not in self.sections:
            raise ValueError(f"no section '{node.name}' (called as {{{node.name}}})")
        return self.expand(self.names.entry(node.name))

    def _mention(self, kind: str, number: str, form: str | None) -> str:
        if not number:
            return self._surface(self._draw(kind), form, seen=False)
        key = kind + number
        if key not in self._referents:
            self._referents[key] = self._draw_another(kind)
        surface = self._surface(self._referents[key], form, key in self._mentioned)
        if form is None or form in ("full", "titled", "reversed", "initial"):
            self._mentioned.add(key)
        return surface

    def _draw_another(self, kind: str) -> Person | Named:
        """One that the document does not speak of yet."""
        known = self._referents.values()
        while (new := self._draw(kind)) in known:
            pass
        return new

    def _draw(self, kind: str) -> Person | Named:
        if kind == "P":
            return self.names.person()
        if kind == "F":
            return self.names.firm()
        if kind in ORGANISATIONS:
            return self.names.organisation(ORGANISATIONS[kind])
        if kind == "L":
            name = self.names.settlement()
        elif kind in PLACES:
            name = self.names.entry(PLACES[kind])
        else:
            name = self.names.place(
                {"S": "street", "V": "venue", "K": "ground", "A": "airport"}[kind]
            )
        return Named(name, "")

    def _surface(self, referent: Person | Named, form: str | None, seen: bool) -> str:
        if isinstance(referent, Person):
            return self._person(
                referent,
                form or self.dice.choice((LATER_FORMS if seen else FIRST_FORMS)[self.genre]),
            )
        if not referent.short:
            return mark("LOCATION", referent.full)
        if form == "site":
            return re.sub(r"\W", "", referent.short.lower()) or "office"
        if form == "initials":
            return mark(
                "ORGANIZATION",
                "".join(word[0] for word in referent.full.split() if word[0].isupper()),
            )
        shortened = form == "short" or (form is None and seen and self.dice.chance(0.75))
        name = referent.short if shortened else referent.full
        # "the council" is no name; it takes the place of one.
        return name if name.islower() else mark("ORGANIZATION", name)

    def _person(self, person: Person, form: str) -> str:
        if form in PRONOUNS:
            return PRONOUNS[form][0 if person.female else 1]
        first, last = person.first, person.last
        if form == "titled":
            title = self.dice.choice(
                ("Dr.", "Mr.", "Mr.") if not person.female else ("Dr.", "Ms.", "Mrs.")
            )
            return f"{title} {mark('PERSON', last)}"
        if form in ("address", "handle"):
            bare = re.sub(r"\W", "", last.lower())
            return self.dice.choice(
                (
                    f"{first.lower()}.{bare}",
                    f"{first[0].lower()}{bare}",
                    f"{first.lower()}_{bare[0]}",
                )
            )
        if form == "full" and self.dice.chance(0.1):
            first = f"{first} {person.middle}."
        surface = {
            "first": first,
            "last": last,
            "full": f"{first} {last}",
            "reversed": f"{last}, {first}",
            "initial": f"{first[0]}. {last}",
            "letters": first[0] + last[0],
        }[form]
        return mark("PERSON", surface)
