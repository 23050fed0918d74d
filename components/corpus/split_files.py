"""Which files of a path are the corpus, and which split each of them is."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from components.corpus.data_spans import DataSpan
from components.corpus.formats import looks_like_corpus, usual_endings
from components.corpus.splits import SPLITS
from components.corpus.text_files import base_name, content_hash, ending_of
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
    *("requirements", "labels", "vocab", "dataset_info", "dataset_infos", "dataset_dict", "state"),
}
_NO_CORPUS_ENDINGS = {"md", "rst", "py", "sh", "pdf", "html", "yaml", "yml", "toml", "cfg", "bib"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NO_DEV = "No dev is here: a hash cuts a tenth of train off as dev."
_EXPECTED = "files or folders named after train, dev and test, or one file of labelled text"
_SHOWN = 6  # names in a note


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
        """The splits that the sentences come in: train and dev always, test mostly; a lone split where train is missing."""
        if "all" in self.files:
            return SPLITS
        if "train" not in self.files:
            return tuple(name for name in SPLITS if name in self.files)
        return SPLITS if "test" in self.files else ("train", "dev")

    @property
    def evaluation(self) -> str:
        """The split to evaluate on: test, or dev where there is no test."""
        return self.names[-1]

    @property
    def evaluated_on(self) -> str:
        """What is evaluated on, for the user."""
        return self.test_is or self.evaluation

    @property
    def span_numbers(self) -> tuple[dict[str, int], ...]:
        """The number and version of each span, as outcomes and the history keep them."""
        return tuple({"number": span.number, "version": span.version} for span in self.spans)

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


def find_splits(
    path: str | os.PathLike[str], own_test: bool = True, need_train: bool = True
) -> Splits:
    """The splits in a file or a folder, by the names of files and of the folders that they are in.

    A file is part of the corpus if its content is labelled text, whatever its ending. What is left aside is named in
    the notes.

    Args:
      path: the file or folder.
      own_test: whether test comes from it too; where it comes from elsewhere, files named test are left aside.
      need_train: whether there has to be a train split; `check` and `evaluate` take any.

    Raises:
      UserError: there is no corpus that a model could be trained on, or the same data is there twice.
    """
    path = os.fspath(path)
    if os.path.isfile(path):
        files = {"all" if own_test else "train": (path,)}
        return Splits(path, files, (_hash_note(base_name(path)) if own_test else _NO_DEV,))
    if not os.path.isdir(path):
        raise UserError(f"{path}: there is no such file or folder; expected {_EXPECTED}")
    found = _corpus_in(path)
    if not found.names:
        raise UserError(
            f"{path}: found no corpus in this folder ({_contents(path)}); expected {_EXPECTED}"
        )
    notes = []
    if found.aside:
        notes.append(f"Left aside, as no labelled text: {_listed(found.aside)}.")
    notes += [
        f"{name} is left aside: its name holds both {' and '.join(splits)}."
        for name, splits in found.names.items()
        if len(splits) > 1
    ]
    unnamed = tuple(name for name, splits in found.names.items() if not splits)
    named: dict[str, tuple[str, ...]] = {}
    for name, splits in found.names.items():
        if len(splits) == 1:
            named[splits[0]] = (*named.get(splits[0], ()), os.path.join(path, name))
    if named:
        notes += [
            f"{name} is left aside: its name holds no split, others' names do." for name in unnamed
        ]
        for files in named.values():
            _refuse_same_data(path, files)
        if not need_train and "train" not in named:
            return Splits(path, named, (*notes, f"Only {' and '.join(named)} is here."))
        return _complete(path, named, notes) if own_test else _without_test(path, named, notes)
    if unnamed:
        files = tuple(os.path.join(path, name) for name in unnamed)
        _refuse_same_data(path, files)
        if not own_test:
            return _without_test(path, {"train": files}, notes)
        return Splits(path, {"all": files}, (*notes, _hash_note(*unnamed)))
    raise UserError(
        f"{path}: found {', '.join(found.names)}, whose names hold more than one split; expected {_EXPECTED}"
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
    names = _corpus_in(path).names if os.path.isdir(path) else {}
    if not names:
        raise UserError(
            f"{path}: found no labelled text there; expected a file or a folder of labelled text"
        )
    return tuple(os.path.join(path, name) for name, splits in names.items() if len(splits) < 2)


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


@dataclass
class _FolderContents:
    """What is in a folder: the splits of each file of labelled text, by its path in the folder, and names of other files."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)


def _corpus_in(folder: str) -> _FolderContents:
    """The labelled files of a folder and of the folders in it that are named after a split.

    Where there are none, those of its only other folder with labelled text in it.
    """
    contents = _FolderContents()
    others = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_file():
            if is_corpus_file(entry.path):
                contents.names[entry.name] = splits_named(entry.name)
            elif not _is_companion(entry.path):
                contents.aside.append(entry.name)
        elif entry.is_dir():
            splits = splits_named(entry.name)
            if len(splits) != 1:
                others.append(entry.name)
                continue
            inner = _all_files(entry.path)
            contents.names.update((os.path.join(entry.name, name), splits) for name in inner.names)
            contents.aside += [os.path.join(entry.name, name) for name in inner.aside]
    if contents.names:
        contents.aside += [f"{name}{os.sep}" for name in others]
        return contents
    inside = {name: found for name in others if (found := _corpus_in(_join(folder, name))).names}
    if len(inside) == 1:
        [(name, found)] = inside.items()
        contents.names = {_join(name, inner): splits for inner, splits in found.names.items()}
        contents.aside += [_join(name, inner) for inner in found.aside]
        contents.aside += [f"{other}{os.sep}" for other in others if other != name]
    elif len(inside) > 1:
        raise UserError(
            f"{folder}: found labelled text in the folders {_listed(list(inside))}; expected one corpus, name one of them"
        )
    return contents


def _all_files(folder: str) -> _FolderContents:
    """The labelled files of a folder and of all folders in it."""
    contents = _FolderContents()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in sorted(names):
            full = _join(place, name)
            if name.startswith((".", "_")) or _is_companion(full):
                continue
            inner = os.path.relpath(full, folder)
            if is_corpus_file(full):
                contents.names[inner] = ()
            else:
                contents.aside.append(inner)
    return contents


_join = os.path.join


def is_corpus_file(path: str) -> bool:
    """Whether a file is labelled text: by its ending where that is usual for corpora, else by its content."""
    name = os.path.basename(path).lower()
    stem = name.split(".")[0]
    if stem in _NO_CORPUS or _is_companion(path):
        return False
    ending = ending_of(name)
    if ending in _NO_CORPUS_ENDINGS:
        return False
    return ending in usual_endings() or bool(splits_named(ending)) or looks_like_corpus(path)


def _is_companion(path: str) -> bool:
    """Whether a file is the text that a standoff file (.ann) of the same name is about."""
    stem, ending = os.path.splitext(path)
    return ending.lower() == ".txt" and any(
        os.path.exists(stem + annotation) for annotation in (".ann", ".a1", ".a2")
    )


def _refuse_same_data(path: str, files: tuple[str, ...]) -> None:
    """Raises UserError for files of one name in two formats: probably the same data twice."""
    by_stem: dict[str, str] = {}
    for file in files:
        stem = os.path.join(os.path.dirname(file), base_name(file).lower().split(".")[0])
        if any(ending_of(file) == word for words in _SPLIT_WORDS.values() for word in words):
            continue  # eng.train and eng.testa
        other = by_stem.setdefault(stem, file)
        if other != file and ending_of(other) != ending_of(file):
            raise UserError(
                f"{path}: found {base_name(other)} and {base_name(file)}, probably the same data in two formats; expected"
                " it once. Move one of them out of the folder, or rename it if it holds other data"
            )


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(names[:_SHOWN])
    return few if len(names) <= _SHOWN else f"{few} and {len(names) - _SHOWN} more"


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
    return ending_of(path) in ("jsonl", "ndjson", "jsonlines", "json")
