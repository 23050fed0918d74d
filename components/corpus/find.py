"""Which files of a path are the corpus, and which split each of them is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.corpus.files import base_name
from components.errors import UserError

_SPLIT_WORDS = {
    "train": ("train", "training", "trainset"),
    "dev": ("dev", "devel", "development", "devset", "valid", "validation", "val", "eval", "evaluation", "testa"),
    "test": ("test", "testing", "testset", "testb"),
}
_CONLL_ENDINGS = (
    *("conll", "conll02", "conll03", "conll2002", "conll2003", "conllu", "txt", "tsv", "data", "dat"),
    *("iob", "iob1", "iob2", "bio", "bioes", "iobes", "bilou", "ner", "tags"),
)
_JSON_ENDINGS = ("jsonl", "ndjson", "jsonlines", "json")
# CoNLL-2003 calls its files eng.train, eng.testa and eng.testb: a split may be the ending too.
_ENDINGS = {*_CONLL_ENDINGS, *_JSON_ENDINGS, *(word for words in _SPLIT_WORDS.values() for word in words)}
_NO_CORPUS = {
    *("readme", "license", "licence", "copying", "notice", "changelog", "changes", "authors", "citation"),
    *("requirements", "labels", "vocab"),
}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_EXPECTED = "files named after train, dev and test, or one file, in CoNLL columns or JSON Lines"


@dataclass(frozen=True, slots=True)
class Splits:
    """The files of a corpus.

    `files` maps 'train', 'dev' and 'test' to their files in order, or 'all' to files that a hash is to split. `notes`
    say what was decided, for the user.
    """

    path: str
    files: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that the sentences come in: train and dev always, test mostly."""
        return ("train", "dev", "test") if "all" in self.files or "test" in self.files else ("train", "dev")

    @property
    def evaluation(self) -> str:
        """The split to evaluate on: test, or dev where there is no test."""
        return self.names[-1]


def find_splits(path: str | os.PathLike[str]) -> Splits:
    """The splits in a file or a folder, by the files' names.

    Raises UserError where there is no corpus that a model could be trained on.
    """
    path = os.fspath(path)
    if os.path.isfile(path):
        return Splits(path, {"all": (path,)}, (_hash_note(base_name(path)),))
    if not os.path.isdir(path):
        raise UserError(f"{path}: there is no such file or folder; expected {_EXPECTED}")
    names = {name: splits_named(name) for name in _candidates(path)}
    if not names:
        raise UserError(f"{path}: found no corpus in this folder ({_contents(path)}); expected {_EXPECTED}")
    notes = [
        f"{name} is left aside: its name holds both {' and '.join(splits)}."
        for name, splits in names.items()
        if len(splits) > 1
    ]
    unnamed = tuple(name for name, splits in names.items() if not splits)
    named: dict[str, tuple[str, ...]] = {}
    for name, splits in names.items():
        if len(splits) == 1:
            named[splits[0]] = (*named.get(splits[0], ()), os.path.join(path, name))
    if named:
        notes += [f"{name} is left aside: its name holds no split, others' names do." for name in unnamed]
        return _complete(path, named, notes)
    if unnamed:
        files = tuple(os.path.join(path, name) for name in unnamed)
        return Splits(path, {"all": files}, (*notes, _hash_note(*unnamed)))
    raise UserError(f"{path}: found {', '.join(names)}, whose names hold more than one split; expected {_EXPECTED}")


def splits_named(name: str) -> tuple[str, ...]:
    """The splits in a file's name, as whole words of it.

    >>> splits_named("eng.testa"), splits_named("CDR_TrainingSet.tsv"), splits_named("train_dev.tsv")
    (('dev',), ('train',), ('train', 'dev'))
    >>> splits_named("latest.conll")
    ()
    """
    words = {word.lower() for word in _WORD.findall(name)}
    return tuple(split for split, forms in _SPLIT_WORDS.items() if words.intersection(forms))


def _hash_note(*names: str) -> str:
    which = f"{names[0]} has" if len(names) == 1 else f"{len(names)} files have"
    return f"{which} no given splits: a hash of documents or sentences splits into train, dev and test."


def _complete(path: str, named: dict[str, tuple[str, ...]], notes: list[str]) -> Splits:
    """Decides what is done about the splits that are missing."""
    if "train" not in named:
        raise UserError(f"{path}: found {' and '.join(named)} and no train; expected a file with train in its name")
    if len(named) == 1:
        return Splits(path, {"all": named["train"]}, (*notes, _hash_note(*map(base_name, named["train"]))))
    if "dev" not in named:
        notes.append("No dev is here: a hash cuts a tenth of train off as dev.")
    if "test" not in named:
        notes.append("No test is here: the model is evaluated on dev, which also chose it, so its scores flatter it.")
    return Splits(path, {split: named[split] for split in _SPLIT_WORDS if split in named}, tuple(notes))


def _candidates(folder: str) -> list[str]:
    """The names in the folder that could be a corpus's, sorted."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and _is_corpus_name(entry.name))


def _is_corpus_name(name: str) -> bool:
    stem, _, ending = name.lower().rpartition(".")
    return bool(stem) and not name.startswith(".") and ending in _ENDINGS and stem.split(".")[0] not in _NO_CORPUS


def _contents(folder: str) -> str:
    """What the folder holds, for an error message."""
    names = sorted(os.listdir(folder))
    if not names:
        return "it is empty"
    return "it holds " + ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def is_json_name(path: str) -> bool:
    """Whether the file's ending says JSON."""
    return path.lower().rpartition(".")[2] in _JSON_ENDINGS
