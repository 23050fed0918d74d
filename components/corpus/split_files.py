"""Which files of a path are the corpus, and which split each of them is."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.corpus.data_spans import DataSpan
from components.corpus.text_files import base_name, content_hash
from components.errors import UserError

_SPLIT_WORDS = {
    "train": ("train", "training", "trainset"),
    "dev": (
        "dev",
        "devel",
        "development",
        "devset",
        "valid",
        "validation",
        "val",
        "eval",
        "evaluation",
        "testa",
    ),
    "test": ("test", "testing", "testset", "testb"),
}
_CONLL_ENDINGS = (
    *(
        "conll",
        "conll02",
        "conll03",
        "conll2002",
        "conll2003",
        "conllu",
        "txt",
        "tsv",
        "data",
        "dat",
    ),
    *("iob", "iob1", "iob2", "bio", "bioes", "iobes", "bilou", "ner", "tags"),
)
_JSON_ENDINGS = ("jsonl", "ndjson", "jsonlines", "json")
# CoNLL-2003 calls its files eng.train, eng.testa and eng.testb: a split may be the ending too.
_ENDINGS = {
    *_CONLL_ENDINGS,
    *_JSON_ENDINGS,
    *(word for words in _SPLIT_WORDS.values() for word in words),
}
_NO_CORPUS = {
    *(
        "readme",
        "license",
        "licence",
        "copying",
        "notice",
        "changelog",
        "changes",
        "authors",
        "citation",
    ),
    *("requirements", "labels", "vocab"),
}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NO_DEV = "No dev is here: a hash cuts a tenth of train off as dev."
_FORMATS = "in CoNLL columns or JSON Lines"
_EXPECTED = f"files named after train, dev and test, or one file, {_FORMATS}"


@dataclass(frozen=True, slots=True)
class Splits:
    """The files of a corpus.

    `files` maps 'train', 'dev' and 'test' to their files in order, or 'all' to files that a hash is to split. `notes`
    say what was decided, for the user. `spans` are those that the files are of, in order, if any; `test_is` says what test is
    where it is none of the corpus's own.
    """

    path: str
    files: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    spans: tuple[DataSpan, ...] = ()
    test_is: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that the sentences come in: train and dev always, test mostly."""
        return (
            ("train", "dev", "test")
            if "all" in self.files or "test" in self.files
            else ("train", "dev")
        )

    @property
    def evaluation(self) -> str:
        """The split to evaluate on: test, or dev where there is no test."""
        return self.names[-1]

    @property
    def evaluated_on(self) -> str:
        """What is evaluated on, for the user."""
        return self.test_is or self.evaluation

    def span_of(self, file: str) -> DataSpan | None:
        """The span that a file is of, if it is of any."""
        return next((span for span in self.spans if f"{file}/".startswith(f"{span.path}/")), None)

    def as_dict(self) -> dict[str, Any]:
        """What `of_dict` takes, as JSON has it; the notes are left out."""
        return {**asdict(self), "notes": ()}

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> Splits:
        """The reverse of `as_dict`."""
        files = {name: tuple(files) for name, files in values["files"].items()}
        spans = tuple(DataSpan(**span) for span in values["spans"])
        return cls(values["path"], files, (), spans, values["test_is"])


def find_splits(path: str | os.PathLike[str], own_test: bool = True) -> Splits:
    """The splits in a file or a folder, by the files' names.

    Args:
      path: the file or folder.
      own_test: whether test comes from it too; where it comes from elsewhere, files named test are left aside.

    Raises UserError where there is no corpus that a model could be trained on.
    """
    path = os.fspath(path)
    if os.path.isfile(path):
        files = {"all" if own_test else "train": (path,)}
        return Splits(path, files, (_hash_note(base_name(path)) if own_test else _NO_DEV,))
    if not os.path.isdir(path):
        raise UserError(f"{path}: there is no such file or folder; expected {_EXPECTED}")
    names = {name: splits_named(name) for name in _candidates(path)}
    if not names:
        raise UserError(
            f"{path}: found no corpus in this folder ({_contents(path)}); expected {_EXPECTED}"
        )
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
        notes += [
            f"{name} is left aside: its name holds no split, others' names do." for name in unnamed
        ]
        return _complete(path, named, notes) if own_test else _without_test(path, named, notes)
    if unnamed:
        files = tuple(os.path.join(path, name) for name in unnamed)
        if not own_test:
            return _without_test(path, {"train": files}, notes)
        return Splits(path, {"all": files}, (*notes, _hash_note(*unnamed)))
    raise UserError(
        f"{path}: found {', '.join(names)}, whose names hold more than one split; expected {_EXPECTED}"
    )


def fingerprint(splits: Splits) -> str:
    """A hash of the files' content by split, in order, and of the spans: the same wherever the corpus lies."""
    digest = hashlib.sha256()
    for span in splits.spans:
        digest.update(f"{span}\n".encode())
    for split, files in sorted(splits.files.items()):
        for file in files:
            digest.update(f"{split} {base_name(file)} {content_hash(file)}\n".encode())
    return digest.hexdigest()


def corpus_files(path: str) -> tuple[str, ...]:
    """All labelled files of a path, whatever split their names hold. Raises UserError where there is none."""
    if os.path.isfile(path):
        return (path,)
    names = _candidates(path) if os.path.isdir(path) else []
    if not names:
        raise UserError(
            f"{path}: found no labelled text there; expected a file or a folder of them, {_FORMATS}"
        )
    return tuple(os.path.join(path, name) for name in names if len(splits_named(name)) < 2)


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
    _refuse_without_train(path, named)
    if len(named) == 1:
        return Splits(
            path, {"all": named["train"]}, (*notes, _hash_note(*map(base_name, named["train"])))
        )
    if "dev" not in named:
        notes.append(_NO_DEV)
    if "test" not in named:
        notes.append(
            "No test is here: the model is evaluated on dev, which also chose it, so its scores flatter it."
        )
    return Splits(
        path, {split: named[split] for split in _SPLIT_WORDS if split in named}, tuple(notes)
    )


def _without_test(path: str, named: dict[str, tuple[str, ...]], notes: list[str]) -> Splits:
    """The same where test comes from elsewhere."""
    _refuse_without_train(path, named)
    notes += [
        f"{base_name(file)} is left aside: another test is given." for file in named.get("test", ())
    ]
    if "dev" not in named:
        notes.append(_NO_DEV)
    return Splits(
        path, {split: named[split] for split in ("train", "dev") if split in named}, tuple(notes)
    )


def _refuse_without_train(path: str, named: Mapping[str, tuple[str, ...]]) -> None:
    if "train" not in named:
        raise UserError(
            f"{path}: found {' and '.join(named)} and no train; expected a file with train in its name"
        )


def _candidates(folder: str) -> list[str]:
    """The names in the folder that could be a corpus's, sorted."""
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_file() and _is_corpus_name(entry.name)
    )


def _is_corpus_name(name: str) -> bool:
    stem, _, ending = name.lower().rpartition(".")
    return (
        bool(stem)
        and not name.startswith(".")
        and ending in _ENDINGS
        and stem.split(".")[0] not in _NO_CORPUS
    )


def _contents(folder: str) -> str:
    """What the folder holds, for an error message."""
    names = sorted(os.listdir(folder))
    if not names:
        return "it is empty"
    return (
        "it holds "
        + ", ".join(names[:4])
        + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    )


def is_json_name(path: str) -> bool:
    """Whether the file's ending says JSON."""
    return path.lower().rpartition(".")[2] in _JSON_ENDINGS
