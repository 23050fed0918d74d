"""Forms of tags (B-PER, B_PER, PER-B, B alone, PER alone, b-per, BMES, 0 for O): detection and normalization."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from components.ner.tags import SCHEMES, parse, prefixes

OUTSIDE_TAGS = ("O", "o", "0")
# With fewer of a file's tags than this the tags are not in a form at all.
_MOST = 0.9
_LETTERS = "BIOESLUM"
_PREFIXES = {prefix for scheme in SCHEMES for prefix in prefixes(scheme)}
# BMES and its kin (BMEWO, BMESO) call the inside M and a single W.
_BMES = {"M": "I", "W": "S"}
_MOST_TYPES = 200
_TYPE = re.compile(r"[^\W\d_][\w.&/-]*")


@dataclass(frozen=True, slots=True)
class TagFormat:
    """How a file writes its tags."""

    pattern: str = "B-PER"
    """B-PER, B_PER, PER-B, PER_B, B (prefixes without types) or PER (types without prefixes)."""
    scheme: str = "IOB2"
    """Scheme of the normalized tags: IOB1, IOB2, BIOES or BILOU."""
    outside: str = "O"
    """Tag of tokens outside entities."""
    entity_type: str = "ENTITY"
    """Type of all entities under the pattern B."""
    types: tuple[str, ...] = ()
    """Types under the pattern PER, where no prefix distinguishes them from typing errors."""
    any_case: bool = False
    """Whether prefixes may be in lower case."""
    bmes: bool = False
    """Whether M stands for I, and W for S."""

    def normalize(self, tag: str) -> str:
        """The tag as PREFIX-TYPE of the scheme, or O. Raises ValueError for a tag that is not in the format.

        >>> TagFormat("PER-B").normalize("LOC-I"), TagFormat("B_PER", any_case=True).normalize("b_loc")
        ('I-LOC', 'B-loc')
        """
        normalized = self.split(tag)
        if normalized != "O":
            parse(normalized, self.scheme)
        return normalized

    def split(self, tag: str) -> str:
        """The tag as `normalize` gives it, with a prefix of any scheme."""
        if tag == self.outside or (self.any_case and tag in ("O", "o")):
            return "O"
        if self.pattern == "PER":
            if tag not in self.types:
                raise ValueError(f"{tag!r} is not one of the types {', '.join(self.types)}")
            return f"I-{tag}"
        separator = "_" if "_" in self.pattern else "-"
        if self.pattern == "B":
            prefix, type_ = tag, self.entity_type
        elif self.pattern.startswith("B"):
            prefix, _, type_ = tag.partition(separator)
        else:
            type_, _, prefix = tag.rpartition(separator)
        if self.any_case:
            prefix = prefix.upper()
        if self.bmes:
            prefix = _BMES.get(prefix, prefix)
        if not type_ or prefix not in _LETTERS or len(prefix) != 1 or prefix == "O":
            raise ValueError(f"{tag!r} is not written as {self.pattern}")
        return f"{prefix}-{type_}"

    def accepts(self, tag: str) -> bool:
        """Whether a tag is in the format, with a prefix of any scheme."""
        try:
            self.split(tag)
        except ValueError:
            return False
        return True

    @property
    def expected(self) -> str:
        """The possible tags, for an error message."""
        if self.pattern == "PER":
            few = ", ".join(self.types[:6]) + (", …" if len(self.types) > 6 else "")
            return f"{self.outside}, or one of the types {few}"
        letters = [*prefixes(self.scheme)]
        if self.bmes:
            letters = ["M" if letter == "I" else letter for letter in letters]
        if self.pattern == "B":
            return f"{self.outside}, {', '.join(letters[:-1])} or {letters[-1]} ({self.scheme})"
        shown = [self.pattern.replace("PER", "").replace("B", letter) for letter in letters]
        which = f"{', '.join(shown[:-1])} or {shown[-1]}"
        return f"{self.outside}, or {which} and a type, as in {self.pattern} ({self.scheme})"

    @property
    def oddity(self) -> str:
        """A message about unusual tags, "" for the usual form."""
        parts = []
        if self.pattern == "PER":
            parts.append(
                "types without B- and I-: neighbouring tokens of one type are read as one entity"
            )
        elif self.pattern == "B":
            parts.append(
                f"tags without types, read as {self.entity_type} (another name: --set entity_type=NAME)"
            )
        elif self.pattern != "B-PER":
            parts.append(f"tags written as {self.pattern}")
        if self.any_case:
            parts.append("tags in lower case")
        if self.bmes:
            parts.append("BMES tags (M for inside)")
        if self.outside != "O":
            parts.append(f"{self.outside} for O")
        return ", ".join(parts)


STANDARD = TagFormat()


def detect_tag_format(
    pairs: Mapping[tuple[str, str], int],
    pattern: str | None = None,
    outside: str | None = None,
    entity_type: str = STANDARD.entity_type,
) -> TagFormat:
    """How the tags of a file are written, from the counts of neighbouring tags.

    Args:
      pairs: how often each tag follows each other one, with "" around each sentence.
      pattern: the pattern, where the user names it.
      outside: the tag of tokens outside entities, where the user names it.
      entity_type: the type of all entities where the tags have no types.

    Returns:
      The format of most tags; the standard format where no format fits, so that errors name it. A few odd tags do not
      change the format of a file: they are errors.
    """
    counts: Counter[str] = Counter()
    for (_, tag), count in pairs.items():
        if tag:
            counts[tag] += count
    outside = outside or max(OUTSIDE_TAGS, key=counts.__getitem__)
    tagged = Counter({tag: count for tag, count in counts.items() if tag not in (outside, "O")})
    total = tagged.total()
    standard, fitting = _with_flags("B-PER", tagged, outside, entity_type)
    if pattern:
        return _with_flags(pattern, tagged, outside, entity_type)[0]
    if fitting >= total / 2:
        return standard
    for name in ("B_PER", "PER-B", "PER_B", "B"):
        found, fitting = _with_flags(name, tagged, outside, entity_type)
        if fitting >= _MOST * total:
            return found
    if _are_types(tagged, counts[outside]):
        return _with_flags("PER", tagged, outside, entity_type)[0]
    return standard


def _with_flags(
    pattern: str, tagged: Mapping[str, int], outside: str, entity_type: str
) -> tuple[TagFormat, int]:
    """A pattern with the case and the letters of the tags, and the number of tags that it accepts."""
    if pattern == "PER":
        found = TagFormat("PER", "IOB1", outside, entity_type, tuple(sorted(tagged)))
        return found, sum(tagged.values())
    loose = TagFormat(pattern, "IOB2", outside, entity_type, any_case=True)
    letters: Counter[str] = Counter()
    for tag, count in tagged.items():
        prefix = _prefix(tag, loose)
        letters[prefix] += count if prefix else 0
    lower = sum(count for letter, count in letters.items() if letter.islower())
    upper = Counter[str]()
    for letter, count in letters.items():
        upper[letter.upper()] += count
    any_case = 2 * lower > letters.total() or outside == "o"
    bmes = upper["M"] > 0 and (upper["E"] > 0 or upper["S"] > 0 or upper["W"] > 0)
    found = TagFormat(pattern, "IOB2", outside, entity_type, (), any_case, bmes)
    return found, sum(count for tag, count in tagged.items() if found.accepts(tag))


def _prefix(tag: str, tag_format: TagFormat) -> str:
    """The prefix of a tag as it is written, "" where the tag is not in the format."""
    if not replace(tag_format, bmes=True).accepts(tag):
        return ""
    return tag[0] if tag_format.pattern.startswith("B") else tag[-1]


def _are_types(tagged: Mapping[str, int], outside: int) -> bool:
    """Whether tags without a prefix look like types: few distinct names, and many tokens outside entities."""
    total = sum(tagged.values())
    return (
        bool(tagged)
        and len(tagged) <= min(_MOST_TYPES, total)
        and outside >= total / 4
        and all(_TYPE.fullmatch(tag) for tag in tagged)
    )


def normalized_pairs(
    tag_format: TagFormat, pairs: Mapping[tuple[str, str], int]
) -> Counter[tuple[str, str]]:
    """The counts of neighbouring tags as PREFIX-TYPE; tags in another form are unchanged."""
    normalized = {
        tag: "O" if not tag else tag_format.split(tag) if tag_format.accepts(tag) else tag
        for tag in {tag for pair in pairs for tag in pair}
    }
    counts: Counter[tuple[str, str]] = Counter()
    for (left, right), count in pairs.items():
        counts[normalized[left], normalized[right]] += count
    return counts


def is_any_tag(tag: str) -> bool:
    """Whether a scheme has the tag, in its standard form."""
    prefix, _, type_ = tag.partition("-")
    return tag == "O" or (prefix in _PREFIXES and type_ != "")
