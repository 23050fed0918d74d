"""The stable split: a hash decides, so that a sentence stays where it is whatever is added to the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from components.ner.sentence import Sentence

SPLITS = ("train", "dev", "test")
SHARES = (0.8, 0.1, 0.1)  # of train, dev and test, where a corpus comes without splits
DEV_CUT = (0.9, 0.1, 0.0)  # where it comes with train and test only


def split_of(sentence: Sentence, shares: tuple[float, float, float] = SHARES) -> str:
    """The split of a sentence: its document's, or where it has none, that of its tokens. `shares` add up to 1."""
    place = _place(sentence)
    train, dev, test = shares
    if place < train:
        return "train"
    return "dev" if place < train + dev or not test else "test"


def split_by_hash(
    sentences: Iterable[Sentence], shares: tuple[float, float, float] = SHARES
) -> Iterator[tuple[str, Sentence]]:
    """Each sentence with its split."""
    for sentence in sentences:
        yield split_of(sentence, shares), sentence


def _place(sentence: Sentence) -> float:
    """A number in [0, 1) that depends on the document, or on the tokens, and on nothing else."""
    key = (
        f"document {sentence.document}"
        if sentence.document
        else "tokens " + "\n".join(sentence.tokens)
    )
    digest = blake2b(
        key.encode("utf-8", "surrogatepass"), digest_size=6
    ).digest()  # 48 bits, which a float holds exactly
    return int.from_bytes(digest, "big") / 2**48
