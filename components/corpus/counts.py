"""Counts over a corpus, in one pass, from which `check` makes its findings.

Sentences are kept as digests, about 200 bytes each, not as texts, up to a number that bounds the memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from components.corpus.model_tokens import TokenMismatch
from components.corpus.records import BadLine, Notice
from components.ner.granularity import WORDS, Granularity
from components.ner.sentence import Sentence
from components.ner.tags import ill_formed

LONG_SENTENCE = 200  # tokens: longer ones are rarely one sentence, and slow training down
_MOST_DIGESTS = 500_000  # distinct sentences that are kept to find repetitions
DUPLICATE_LENGTH = 5  # tokens: shorter sentences are the same by chance ("Thank you .")


ZERO_WIDTH = "zero-width or direction marks"
CONTROL = "control characters"
REPLACEMENT = "replacement characters (U+FFFD)"
MOJIBAKE = "UTF-8 once read as another encoding (like Ã© for é)"
NOT_NFC = "characters not in Unicode's composed form (NFC)"
EMPTY = "nothing visible at all (empty, or white space)"
ESCAPED = "escapes in place of characters (-LRB-, &amp;)"
SPACED = "white space at its edge"
KINDS = (ZERO_WIDTH, CONTROL, REPLACEMENT, MOJIBAKE, NOT_NFC, EMPTY, SPACED, ESCAPED)

# Zero-width joiners and variation selectors belong to many emoji and scripts: they are not odd.
_ESCAPE = re.compile(
    r"-(?:LRB|RRB|LSB|RSB|LCB|RCB)-|&(?:amp|lt|gt|quot|apos|nbsp|#\d+|#x[0-9A-Fa-f]+);|``|\\[/*]"
)
_PATTERNS = {
    ZERO_WIDTH: re.compile(
        "[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad]"
    ),
    CONTROL: re.compile("[\x00-\x1f\x7f-\x9f]"),
    REPLACEMENT: re.compile("\ufffd"),
    MOJIBAKE: re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac|\u00ef\u00bb\u00bf"),
}


@dataclass(slots=True)
class Tally:
    """A number of occurrences, and the position of the first."""

    count: int = 0
    first: str = ""
    """The file and line of the first occurrence, "" without one."""

    def add(self, where: str, count: int = 1) -> None:
        """Counts occurrences at a position."""
        self.first = self.first or where
        self.count += count


@dataclass(slots=True)
class SplitCounts:
    """The counts of one split."""

    sentences: int = 0
    tokens: int = 0
    longest: int = 0
    documents: int = 0
    document: str = ""
    types: Counter[str] = field(default_factory=Counter)
    first_of_type: dict[str, str] = field(default_factory=dict)
    surfaces: Counter[int] = field(default_factory=Counter)
    """Entities by a digest of type and tokens."""

    @property
    def entities(self) -> int:
        """The entities of all types."""
        return self.types.total()


class CorpusCounts:
    """All counts of a corpus; `add` takes its sentences one by one.

    Args:
      names: the splits.
      granularity: how fine the model's tokens are.
    """

    def __init__(self, names: Sequence[str], granularity: Granularity = WORDS) -> None:
        self.splits = {name: SplitCounts() for name in names}
        self.ill_formed = Tally()
        self.long = Tally()
        self.edges = Tally()
        self.odd = {kind: Tally() for kind in KINDS}
        self.duplicates = Tally()
        self.conflicts = Tally()
        self.overlaps: dict[tuple[str, str], Tally] = {}
        self.bad = Tally()
        self.first_bad: BadLine | None = None
        self.unused = Tally()
        self.unreadable_files = 0
        self.remedy = ""  # for sentences that cannot be read, where the cause is known
        self.texts = 0  # sentences that came with a text
        self.notices: dict[str, Tally] = {}
        self.mismatch = TokenMismatch(granularity)
        self.allow_mismatch = False
        # By digest of the tokens: the digest of the spans, and in its low bits the splits of the sentence.
        self._seen: dict[int, int] = {}

    @property
    def train(self) -> SplitCounts:
        """The counts of train; zeros if a corpus has no train split."""
        return self.splits.get("train", SplitCounts())

    def add(
        self, split: str, sentence: Sentence, tags: Sequence[str] | None, scheme: str | None
    ) -> None:
        """Counts a sentence, and the ill-formed tags among its tags as the file has them."""
        counts = self.splits[split]
        counts.sentences += 1
        self.texts += sentence.text is not None
        self.mismatch.add(sentence)
        counts.tokens += len(sentence.tokens)
        counts.longest = max(counts.longest, len(sentence.tokens))
        if sentence.document != counts.document:
            counts.documents += 1
            counts.document = sentence.document
        if len(sentence.tokens) > LONG_SENTENCE:
            self.long.add(_where(sentence))
        if tags is not None and scheme is not None:
            wrong = ill_formed(tags, scheme)
            if wrong:
                self.ill_formed.add(_where(sentence, wrong[0]), len(wrong))
        for token, text in enumerate(sentence.tokens):
            for kind in odd_kinds(text):
                self.odd[kind].add(_where(sentence, token))
        if sentence.text is not None and has_escapes(sentence.text):
            self.odd[ESCAPED].add(_where(sentence))
        self._add_entities(counts, sentence)
        self._compare(split, sentence)

    def add_bad(self, bad: BadLine) -> None:
        """Counts a sentence that cannot be read."""
        self.first_bad = self.first_bad or bad
        self.bad.add(f"{bad.file}:{bad.line}")

    def add_notice(self, notice: Notice) -> None:
        """Counts a notice of the reader."""
        tally = self.notices.setdefault(notice.what, Tally())
        tally.add(f"{notice.file}:{notice.line}", notice.count)

    def _add_entities(self, counts: SplitCounts, sentence: Sentence) -> None:
        for span in sentence.spans:
            counts.types[span.type] += 1
            counts.first_of_type.setdefault(span.type, _where(sentence, span.start))
            words = sentence.tokens[span.start : span.end]
            counts.surfaces[_digest((span.type, *words))] += 1
            if not _has_substance(words[0]) or not _has_substance(words[-1]):
                self.edges.add(_where(sentence, span.start))

    def _compare(self, split: str, sentence: Sentence) -> None:
        """Counts whether the same tokens were there before: in the split, in another split, or with other labels."""
        key = _digest(sentence.tokens)
        names = [*self.splits]
        bit = 1 << names.index(split)
        labels = (
            _digest([f"{span.start} {span.end} {span.type}" for span in sentence.spans]) & ~0b111
        )
        before = self._seen.get(key)
        if before is None:
            if len(self._seen) < _MOST_DIGESTS:
                self._seen[key] = labels | bit
            return
        if before & ~0b111 != labels:
            self.conflicts.add(_where(sentence))
        if len(sentence.tokens) >= DUPLICATE_LENGTH:
            if before & bit:
                self.duplicates.add(_where(sentence))
            for index, other in enumerate(names):
                if other != split and before & 1 << index:
                    pair = (other, split) if index < names.index(split) else (split, other)
                    self.overlaps.setdefault(pair, Tally()).add(_where(sentence))
        self._seen[key] = before | bit


def _where(sentence: Sentence, token: int = 0) -> str:
    """The file and line of a sentence; in CoNLL columns, where each token has its line, about that of the token."""
    line = sentence.line + token if sentence.text is None else sentence.line
    return f"{sentence.file}:{line}"


def _digest(words: Sequence[str]) -> int:
    return int.from_bytes(
        blake2b("\x1f".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


def _has_substance(word: str) -> bool:
    """Whether an entity can begin or end with the word: it has a letter, a digit, or a sign like $ and %."""
    return any(character.isalnum() or character in "$€£¥%°)" for character in word)


def has_escapes(text: str) -> bool:
    """Whether a text has escapes of HTML or the Penn Treebank, which tokenization may split."""
    return ("&" in text or "-" in text) and _ESCAPE.search(text) is not None


def odd_kinds(token: str) -> list[str]:
    """The kinds of odd characters in a token, in the order of `KINDS`.

    >>> odd_kinds("caf\\u00c3\\u00a9") == [MOJIBAKE], odd_kinds("café")
    (True, [])
    """
    if token.isascii() and token.isalnum():
        return []
    kinds = [kind for kind, pattern in _PATTERNS.items() if pattern.search(token)]
    if not unicodedata.is_normalized("NFC", token):
        kinds.append(NOT_NFC)
    if _ESCAPE.fullmatch(token):
        kinds.append(ESCAPED)
    if not token.strip():
        kinds.append(EMPTY)
    elif token != token.strip():
        kinds.append(SPACED)
    return kinds
