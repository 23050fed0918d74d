"""Documents by plan, splits of documents, and the files they are written to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from . import noise
from .dice import Dice
from .rules import Section, held_out, load
from .scene import Scene
from .text import Labelled, articles, capitalised, label

# Sentences of each genre in each split.
SIZES = {
    "news": {"train": 1500, "dev": 260, "test": 320},
    "clinical": {"train": 2050, "dev": 320, "test": 400},
    "finance": {"train": 1560, "dev": 250, "test": 300},
    "mail": {"train": 1180, "dev": 190, "test": 240},
    "chat": {"train": 1020, "dev": 160, "test": 200},
}
# Of dev's and test's sentences, the share that is drawn from patterns which train never uses.
UNSEEN_SHARE = 0.30
STEP = re.compile(r"([a-z.|]+)(\?|(?::(\d+)-(\d+))?)")


@dataclass(frozen=True)
class Document:
    genre: str
    sentences: tuple[Labelled, ...]


def build() -> dict[str, tuple[Document, ...]]:
    """The corpus: documents by split. No sentence comes twice."""
    sections, seen, corpus = load(), set(), {}
    for split in ("train", "dev", "test"):
        documents: list[Document] = []
        for genre, sizes in SIZES.items():
            missing, number = sizes[split], 0
            while missing > 0:
                dice = Dice("document", split, genre, number)
                written = _new(write_document(sections, split, genre, dice), seen)
                number += 1
                if written:
                    documents.append(Document(genre, written))
                    missing -= len(written)
        corpus[split] = tuple(Dice("order", split).shuffled(documents))
    return corpus


def _new(sentences: Iterable[Labelled], seen: set[str]) -> tuple[Labelled, ...]:
    """The sentences not seen before, in any case; they count as seen from here on."""
    kept = []
    for sentence in sentences:
        key = " ".join(sentence.tokens).lower()
        if key not in seen:
            seen.add(key)
            kept.append(sentence)
    return tuple(kept)


def write_document(
    sections: dict[str, Section], split: str, genre: str, dice: Dice
) -> list[Labelled]:
    """One document after one of the genre's plans, in one writer's hand."""
    scene = Scene(sections, split, genre, dice)
    writer = noise.habits(genre, dice)
    used: set[str] = set()
    sentences = []
    for name in _steps(dice.choice(sections[f"{genre}.plans"].entries), genre, dice):
        pattern = _pattern(sections[name], split, used, dice)
        used.add(pattern)
        sentences.append(realise(pattern, scene, writer, dice))
    return sentences


def _steps(plan: str, genre: str, dice: Dice) -> list[str]:
    """'lead body|quote:2-4 end?' -> ['news.lead', 'news.quote', 'news.body', 'news.body']"""
    names = []
    for step in plan.split():
        found = STEP.fullmatch(step)
        if not found:
            raise ValueError(f"{genre}.plans: cannot read the step '{step}'")
        choices, suffix, low, high = found.groups()
        if suffix == "?":
            times = dice.between(0, 1)
        else:
            times = dice.between(int(low), int(high)) if low else 1
        names += [f"{genre}.{dice.choice(choices.split('|'))}" for _ in range(times)]
    return names


def _pattern(section: Section, split: str, used: set[str], dice: Dice) -> str:
    """One that the document has not used yet, if there is one; never a held-out one for train."""
    known = [entry for entry in section.entries if not held_out(entry)]
    unseen = [entry for entry in section.entries if held_out(entry)]
    pool = unseen if unseen and split != "train" and dice.chance(UNSEEN_SHARE) else known
    return dice.choice([entry for entry in pool if entry not in used] or pool or section.entries)


def realise(pattern: str, scene: Scene, writer: noise.Habits, dice: Dice) -> Labelled:
    """One sentence. `^` before a pattern keeps its first letter as it is."""
    marked = articles(scene.expand(pattern.removeprefix("^")))
    if not pattern.startswith("^"):
        marked = capitalised(marked)
    if writer.no_apostrophes:
        marked = noise.without_apostrophes(marked)
    return noise.roughen(label(marked, pattern), writer, dice)


def conll(documents: Iterable[Document]) -> str:
    """Two columns, a tab between; an empty line after each sentence; -DOCSTART- before each document."""
    blocks = []
    for document in documents:
        blocks.append("-DOCSTART-\tO\n")
        blocks += [
            "".join(f"{token}\t{tag}\n" for token, tag in zip(s.tokens, s.tags))
            for s in document.sentences
        ]
    return "\n".join(blocks) + "\n"


def sentence_sections() -> dict[str, tuple[str, ...]]:
    """The sections whose patterns are sentences, which is to say those that a plan names."""
    sections = load()
    names = set()
    for genre in SIZES:
        for plan in sections[f"{genre}.plans"].entries:
            names |= {
                f"{genre}.{name}"
                for step in plan.split()
                for name in STEP.fullmatch(step)[1].split("|")
            }
    return {name: sections[name].entries for name in sorted(names)}
