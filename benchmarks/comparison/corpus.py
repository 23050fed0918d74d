"""The corpus of a comparison: read once, and written as files for the tools that cannot read it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison import columns
from components.corpus import reading
from components.corpus.formats import conll
from components.errors import UserError
from components.ner import scores, tags
from components.ner.sentence import Sentence


@dataclass(frozen=True)
class Corpus:
    """A corpus and its splits as CoNLL files in IOB2."""

    path: str  # what tfx-ner reads
    options: reading.ReadOptions  # how tfx-ner reads it
    files: Mapping[str, Path]  # the CoNLL file of each split
    # The number of sentences, tokens and entities of each split.
    sizes: Mapping[str, Mapping[str, int]]
    evaluated_on: str  # test, or dev where there is no test
    gold: tuple[Sentence, ...]  # the sentences of that split


def write_splits(path: str, options: reading.ReadOptions, folder: Path) -> Corpus:
    """Reads a corpus and writes its splits into the folder.

    Raises UserError if tfx-ner cannot read it, or CoNLL cannot hold it.
    """
    splits = reading.find_splits(path)
    by_split: dict[str, list[Sentence]] = {name: [] for name in splits.names}
    for split, sentence in reading.read_corpus(splits, options):
        by_split[split].append(sentence)
    files, sizes = {}, {}
    for split, sentences in by_split.items():
        files[split] = folder / f"{split}.conll"
        sizes[split] = {
            "sentences": len(sentences),
            "tokens": sum(len(sentence.tokens) for sentence in sentences),
            "entities": sum(len(sentence.spans) for sentence in sentences),
        }
        with files[split].open("w", encoding="utf-8", newline="\n") as file:
            try:
                conll.write_conll(file, sentences)
            except ValueError as error:
                raise UserError(f"{path}: {error}; the other tools read CoNLL") from None
    gold = tuple(by_split[splits.evaluation])
    return Corpus(os.path.abspath(path), options, files, sizes, splits.evaluation, gold)


def f1(corpus: Corpus, predictions: Path) -> float:
    """Computes the F1 of a file of predictions, in the same way for every tool.

    Raises:
        ValueError: the file does not have the sentences that are evaluated on.
    """
    predicted = list(columns.read(str(predictions)))
    if [tuple(tokens) for tokens, *_ in predicted] != [one.tokens for one in corpus.gold]:
        raise ValueError(f"{predictions} does not hold the sentences of {corpus.evaluated_on}")
    pairs = [
        (sentence.spans, tags.spans_of(predicted_tags))
        for sentence, (*_, predicted_tags) in zip(corpus.gold, predicted)
    ]
    return sum(scores.score_all(pairs).values(), scores.PRF()).f1
