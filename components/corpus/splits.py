"""The splits of a corpus: by the names of its files and folders, or by a hash.

A hash decides so that a sentence stays in its split when others are added to the corpus.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from components.corpus.data_spans import DataSpan
from components.corpus.formats import looks_like_corpus, usual_endings
from components.corpus.text_files import base_name, content_hash, ending_of
from components.errors import UserError
from components.ner.sentence import Sentence

SPLITS = ("train", "dev", "test")
SHARES = (0.8, 0.1, 0.1)  # of train, dev and test, where a corpus comes without splits
DEV_CUT = (0.9, 0.1, 0.0)  # where it comes with train and test only

Shares = tuple[float, float, float]


_SPLIT_WORDS = {
    "train": "train training trainset".split(),
    "dev": "dev devel development devset valid validation val eval evaluation testa".split(),
    "test": "test testing testset testb".split(),
}
_NO_CORPUS = frozenset(
    "readme license licence copying notice changelog changes authors citation requirements labels vocab dataset_info"
    " dataset_infos dataset_dict state".split()
)
_NO_CORPUS_ENDINGS = {"md", "rst", "py", "sh", "pdf", "html", "yaml", "yml", "toml", "cfg", "bib"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_BY_HASH = "splits into train, dev and test"
_EXPECTED = "files or folders named after train, dev and test, or one file of labelled text"
_SHOWN = 6  # names in a note


@dataclass(frozen=True, slots=True)
class Splits:
    """The files of a corpus.

    Attributes:
      path: the file or folder, or the folder of spans.
      files: the files of 'train', 'dev' and 'test', in order, or 'all' for files that a hash is to split.
      notes: messages for the user about what was decided.
      spans: the spans of data over time that the files belong to, in order.
      test_is: a description of the test split where it is not the corpus's own.
    """

    path: str
    files: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    spans: tuple[DataSpan, ...] = ()
    test_is: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The splits of the sentences: train, dev and mostly test; without a train split, the splits there are."""
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
        """The name of the data to evaluate on, for the user."""
        return self.test_is or self.evaluation

    @property
    def span_numbers(self) -> tuple[dict[str, int], ...]:
        """The number and version of each span, as outcomes and the history keep them."""
        return tuple({"number": span.number, "version": span.version} for span in self.spans)

    def span_of(self, file: str) -> DataSpan | None:
        """The span that a file belongs to, None if it belongs to none."""
        return next((span for span in self.spans if f"{file}/".startswith(f"{span.path}/")), None)


def find_splits(
    path: str | os.PathLike[str], own_test: bool = True, need_train: bool = True
) -> Splits:
    """The splits in a file or a folder, by the names of files and of the folders that they are in.

    A file is part of the corpus if its content is labelled text, whatever its ending. Files that are left out are named
    in the notes.

    Args:
      path: the file or folder.
      own_test: whether the test split comes from here; otherwise files named test are left out.
      need_train: whether there has to be a train split; `check` and `evaluate` take any.

    Raises:
      UserError: there is no corpus that a model could be trained on, or the same data is there twice.
    """
    path = os.fspath(path)
    notes: list[str] = []
    if os.path.isfile(path):
        files = {"train": (path,)}
    elif os.path.isdir(path):
        files = _files_by_split(path, notes)
    else:
        raise UserError(f"{path}: there is no such file or folder; expected {_EXPECTED}")
    if not own_test:
        left_out = files.pop("test", ())
        notes += [f"{base_name(file)} is left aside: another test is given." for file in left_out]
    if "train" not in files:
        if need_train or not files:
            raise UserError(
                f"{path}: found {' and '.join(files)} and no train; expected a file with train in its name"
            )
        return Splits(path, files, (*notes, f"Only {' and '.join(files)} is here."))
    if own_test and len(files) == 1:
        names = [base_name(file) for file in files["train"]]
        which = f"{names[0]} has" if len(names) == 1 else f"{len(names)} files have"
        notes.append(f"{which} no given splits: a hash of documents or sentences {_BY_HASH}.")
        return Splits(path, {"all": files["train"]}, tuple(notes))
    if "dev" not in files:
        notes.append("No dev is here: a hash cuts a tenth of train off as dev.")
    if own_test and "test" not in files:
        notes.append(
            "No test is here: the model is evaluated on dev, which also chose it, so its scores flatter it."
        )
    return Splits(path, {name: files[name] for name in SPLITS if name in files}, tuple(notes))


def _files_by_split(folder: str, notes: list[str]) -> dict[str, tuple[str, ...]]:
    """The files of each split in a folder; all are train if none has a split in its name."""
    labelled, others = _corpus_in(folder)
    if not labelled:
        raise UserError(
            f"{folder}: found no corpus in this folder ({_listing(folder)}); expected {_EXPECTED}"
        )
    if others:
        notes.append(f"Left aside, as no labelled text: {_listed(others)}.")
    files: dict[str, tuple[str, ...]] = {}
    unnamed = [name for name, splits in labelled.items() if not splits]
    for name, splits in labelled.items():
        if len(splits) == 1:
            files[splits[0]] = (*files.get(splits[0], ()), os.path.join(folder, name))
        elif splits:
            notes.append(f"{name} is left aside: its name holds both {' and '.join(splits)}.")
    if files:
        notes += [
            f"{name} is left aside: its name holds no split, others' names do." for name in unnamed
        ]
    elif unnamed:
        files["train"] = tuple(os.path.join(folder, name) for name in unnamed)
    else:
        raise UserError(
            f"{folder}: found {', '.join(labelled)}, whose names hold more than one split; expected {_EXPECTED}"
        )
    for group in files.values():
        _refuse_same_data(folder, group)
    return files


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
    """All labelled files of a path, of any split. Raises UserError for a path without labelled text."""
    if os.path.isfile(path):
        return (path,)
    labelled = _corpus_in(path)[0] if os.path.isdir(path) else {}
    if not labelled:
        raise UserError(
            f"{path}: found no labelled text; expected a file or a folder of labelled text"
        )
    return tuple(os.path.join(path, name) for name, splits in labelled.items() if len(splits) < 2)


def splits_named(name: str) -> tuple[str, ...]:
    """The splits in a file's name, as whole words of it.

    >>> splits_named("eng.testa"), splits_named("CDR_TrainingSet.tsv"), splits_named("train_dev.tsv")
    (('dev',), ('train',), ('train', 'dev'))
    >>> splits_named("latest.conll")
    ()
    """
    words = {word.lower() for word in _WORD.findall(name)}
    return tuple(split for split, forms in _SPLIT_WORDS.items() if words.intersection(forms))


def _corpus_in(folder: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The labelled files of a folder and of the folders in it that are named after a split.

    A folder without labelled files may have one other folder with labelled text: its files count then.

    Returns:
      The splits in the name of each file of labelled text, by its path in the folder, and the names of other files and
      folders.
    """
    labelled: dict[str, tuple[str, ...]] = {}
    others: list[str] = []
    folders = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith((".", "_")):
            continue
        splits = splits_named(entry.name)
        if entry.is_dir() and len(splits) != 1:
            folders.append(entry.name)
            continue
        for path in [entry.path] if entry.is_file() else _files_below(entry.path):
            name = os.path.relpath(path, folder)
            if is_corpus_file(path):
                labelled[name] = splits
            elif not _is_companion(path):
                others.append(name)
    inside = {}
    if not labelled:
        contents = {name: _corpus_in(os.path.join(folder, name)) for name in folders}
        inside = {name: found for name, found in contents.items() if found[0]}
    if len(inside) > 1:
        raise UserError(
            f"{folder}: found labelled text in the folders {_listed(list(inside))}; expected one corpus. Name one of these folders"
        )
    for name, (files, others_inside) in inside.items():
        labelled = {os.path.join(name, path): splits for path, splits in files.items()}
        others += [os.path.join(name, path) for path in others_inside]
    if labelled:
        others += [f"{name}{os.sep}" for name in folders if name not in inside]
    return labelled, others


def _files_below(folder: str) -> Iterator[str]:
    """All files of a folder and of the folders in it, in order, but for hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in sorted(names):
            if not name.startswith((".", "_")):
                yield os.path.join(place, name)


def is_corpus_file(path: str) -> bool:
    """Whether a file is labelled text: by its ending where that is usual for corpora, else by its content."""
    stem, ending = base_name(path).lower().split(".")[0], ending_of(path)
    if stem in _NO_CORPUS or ending in _NO_CORPUS_ENDINGS or _is_companion(path):
        return False
    return ending in usual_endings() or bool(splits_named(ending)) or looks_like_corpus(path)


def _is_companion(path: str) -> bool:
    """Whether a file is the text of a standoff file (.ann) with the same name."""
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


def _listing(folder: str) -> str:
    """The names in a folder, for an error message."""
    names = sorted(os.listdir(folder))
    return f"it holds {_listed(names)}" if names else "it is empty"


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
