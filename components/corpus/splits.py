"""The stable split: a hash decides, so that a sentence stays in its split when others are added to the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from components.ner.sentence import Sentence

SPLITS = ("train", "dev", "test")
SHARES = (0.8, 0.1, 0.1)  # of train, dev and test, where a corpus comes without splits
DEV_CUT = (0.9, 0.1, 0.0)  # where it comes with train and test only

Shares = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How files are split by a hash."""

    shares: Shares = SHARES
    """Shares of train, dev and test, which add up to 1."""
    by_document: bool = True
    """Whether the sentences of a document stay together."""
    with_entities: Shares | None = None
    """Other shares for sentences with entities, so that each split of a small corpus has entities."""

    def split_of(self, sentence: Sentence) -> str:
        """The split of a sentence."""
        shares = self.with_entities if self.with_entities and sentence.spans else self.shares
        return _split_at(hash_position(sentence, self.by_document), shares)

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> SplitRule:
        """The reverse of `dataclasses.asdict`, from JSON."""
        with_entities = values["with_entities"]
        return cls(
            tuple(values["shares"]),
            values["by_document"],
            tuple(with_entities) if with_entities else None,
        )


def split_by_hash(
    sentences: Iterable[Sentence], rule: SplitRule = SplitRule()
) -> Iterator[tuple[str, Sentence]]:
    """Each sentence with its split."""
    for sentence in sentences:
        yield rule.split_of(sentence), sentence


def hash_position(sentence: Sentence, by_document: bool = True) -> float:
    """A number in [0, 1) that depends on the document, or on the tokens, and on nothing else."""
    key = (
        f"document {sentence.document}"
        if sentence.document and by_document
        else "tokens " + "\n".join(sentence.tokens)
    )
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48  # 48 bits, which a float holds exactly


def _split_at(position: float, shares: Shares) -> str:
    train, dev, test = shares
    if position < train:
        return "train"
    return "dev" if position < train + dev or not test else "test"


def rule_for(
    sentences: Iterable[Sentence], shares: Shares, by_document: bool | None = None
) -> SplitRule:
    """A rule under which each split of a small corpus has entities, if that is possible.

    By document, else by sentence, else with other shares for sentences with entities.

    Args:
      sentences: all sentences of the corpus.
      shares: of train, dev and test.
      by_document: the user's choice, None for the first that works.
    """
    names = {name for name, share in zip(SPLITS, shares, strict=True) if share}
    rules = [SplitRule(shares, by) for by in (True, False) if by_document in (None, by)]
    with_entities: list[set[str]] = [set() for _ in rules]
    positions: set[float] = set()
    for sentence in sentences:
        if sentence.spans:
            positions.add(hash_position(sentence, by_document=False))
            for rule, splits in zip(rules, with_entities, strict=True):
                splits.add(rule.split_of(sentence))
    for rule, splits in zip(rules, with_entities, strict=True):
        if names <= splits:
            return rule
    if len(positions) < len(names) or by_document:
        return rules[0]
    return SplitRule(shares, False, _shares_of(sorted(positions), shares))


def _shares_of(positions: list[float], shares: Shares) -> Shares:
    """Shares that give each split its part of the positions, and at least one position."""
    total = len(positions)
    test = max(1, round(shares[2] * total)) if shares[2] else 0
    dev = max(1, round(shares[1] * total))
    train = total - dev - test
    # Between two positions, so that rounding moves no position into another split.
    first = (positions[train - 1] + positions[train]) / 2
    second = (positions[train + dev - 1] + positions[train + dev]) / 2 if test else 1.0
    return first, second - first, 1.0 - second if test else 0.0
