"""Reading a corpus: every sentence, with its split, whatever the format of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from components.corpus import conll, jsonl
from components.corpus.files import lines
from components.corpus.find import Splits, find_splits, is_json_name
from components.corpus.records import BadLine, Read, Rejected, Unused
from components.corpus.splits import DEV_CUT, SHARES, split_of
from components.errors import UserError
from components.ner.sentence import Sentence
from components.ner.tags import scheme_named, scheme_of_pairs

__all__ = [
    "BadLine",
    "OnBad",
    "Plan",
    "ReadOptions",
    "Splits",
    "find_splits",
    "make_plan",
    "read",
    "read_corpus",
    "read_split",
    "records",
]

OnBad = Callable[[BadLine, str], None]
"""Called with each sentence that is left out: why, and its lines as the file has them."""

REFUSE, SKIP = "refuse", "skip"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read. `scheme` None is found out from the corpus; `bad_lines` is 'refuse' or 'skip'.

    Raises UserError for a value there is not.
    """

    scheme: str | None = None
    bad_lines: str = REFUSE
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if self.bad_lines not in (REFUSE, SKIP):
            raise UserError(f"bad_lines={self.bad_lines}: expected {REFUSE} or {SKIP}")
        if self.scheme is not None:
            try:
                object.__setattr__(self, "scheme", scheme_named(self.scheme))
            except ValueError as error:
                raise UserError(f"scheme={self.scheme}: {error}") from None


DEFAULTS = ReadOptions()


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be known of all files before the first is read.

    `scheme` is that of all CoNLL files together, None where there are none; `columns` and `documents` are by CoNLL
    file.
    """

    scheme: str | None = None
    columns: Mapping[str, conll.Columns] = field(default_factory=dict)
    documents: Mapping[str, bool] = field(default_factory=dict)


def make_plan(splits: Splits, options: ReadOptions = DEFAULTS) -> Plan:
    """Looks through all files of a corpus once.

    The scheme is one for all of them, so that train and test are not read by different rules. The files of a split have
    documents if two or more begin there: one alone says nothing about where a corpus may be cut.
    """
    pairs: dict[tuple[str, str], int] = {}
    columns: dict[str, conll.Columns] = {}
    documents: dict[str, bool] = {}
    for files in splits.files.values():
        surveys = {
            file: conll.survey(lines(file, options.encoding))
            for file in files
            if not is_json(file, options.encoding)
        }
        several = sum(found.documents for found in surveys.values() if found.marks) > 1
        for file, found in surveys.items():
            columns[file] = found.columns
            documents[file] = several and found.marks > 0
            for pair, count in found.pairs.items():
                pairs[pair] = pairs.get(pair, 0) + count
    scheme = options.scheme or scheme_of_pairs(pairs)
    return Plan(scheme if columns else None, columns, documents)


def records(
    file: str, plan: Plan, options: ReadOptions = DEFAULTS
) -> Iterator[Read | Rejected | Unused]:
    """Everything in one file of the plan, bad lines and all.

    Raises UserError only for a file that cannot be read at all.
    """
    source = lines(file, options.encoding)
    if file in plan.columns:
        return conll.read(source, file, plan.columns[file], plan.scheme, plan.documents[file])
    return jsonl.read(source, file)


def read(
    path: str | os.PathLike[str], options: ReadOptions = DEFAULTS, on_bad: OnBad | None = None
) -> Iterator[Sentence]:
    """The sentences of one file.

    Raises UserError for a file that cannot be read or has no sentence, and for a bad line unless `options.bad_lines` is
    'skip'; then `on_bad` is called with each sentence left out.
    """
    path = os.fspath(path)
    plan = make_plan(Splits(path, {"all": (path,)}), options)
    count = 0
    for sentence in sentences_of((path,), plan, options, on_bad):
        count += 1
        yield sentence
    if not count:
        raise UserError(f"{path}: found no sentence to read; expected CoNLL columns or JSON Lines")


def read_corpus(
    splits: Splits, options: ReadOptions = DEFAULTS, on_bad: OnBad | None = None
) -> Iterator[tuple[str, Sentence]]:
    """Every sentence of the corpus with its split: 'train', 'dev' or, where the corpus has it, 'test'.

    Raises UserError as `read` does, and after the last sentence if a split has none, or none with an entity.
    """
    plan = make_plan(splits, options)
    return _counted(_assigned(splits, splits.files, plan, options, on_bad), splits, splits.names)


def read_split(
    splits: Splits,
    split: str,
    options: ReadOptions = DEFAULTS,
    on_bad: OnBad | None = None,
    plan: Plan | None = None,
) -> Iterator[Sentence]:
    """The sentences of one split, as `read_corpus` gives them; only the files that it is in are read. A plan made
    before saves making it.

    `on_bad` is called for every bad sentence of those files: which split one would have been in cannot be known.
    """
    plan = plan or make_plan(splits, options)
    names = [
        name
        for name in splits.files
        if name in (split, "all")
        or (split == "dev" and name == "train" and "dev" not in splits.files)
    ]
    assigned = (
        (found, sentence)
        for found, sentence in _assigned(splits, names, plan, options, on_bad)
        if found == split
    )
    for _, sentence in _counted(assigned, splits, (split,)):
        yield sentence


def _assigned(
    splits: Splits, names: Iterable[str], plan: Plan, options: ReadOptions, on_bad: OnBad | None
) -> Iterator[tuple[str, Sentence]]:
    """The sentences of the files under `names`, each with its split."""
    for name in names:
        cut = cut_of(name, splits)
        for sentence in sentences_of(splits.files[name], plan, options, on_bad):
            yield (split_of(sentence, cut) if cut else name), sentence


def cut_of(name: str, splits: Splits) -> tuple[float, float, float] | None:
    """The shares in which the files under `name` are to be split by hash, None if they are a split as they are."""
    if name == "all":
        return SHARES
    return DEV_CUT if name == "train" and "dev" not in splits.files else None


def sentences_of(
    files: Iterable[str], plan: Plan, options: ReadOptions, on_bad: OnBad | None = None
) -> Iterator[Sentence]:
    """The sentences of some files. Bad ones are left out and told to `on_bad`, or refused with UserError, as the options say."""
    for file in files:
        for record in records(file, plan, options):
            if isinstance(record, Read):
                yield record.sentence
            elif isinstance(record, Rejected):
                if options.bad_lines == REFUSE:
                    raise UserError(
                        f"{record.bad}. Mend the line, or leave such sentences out with --set bad_lines=skip"
                    )
                if on_bad:
                    on_bad(record.bad, record.raw)


def _counted(
    assigned: Iterable[tuple[str, Sentence]], splits: Splits, names: Iterable[str]
) -> Iterator[tuple[str, Sentence]]:
    """Passes sentences on, and at the end refuses a corpus that no model could be trained or measured on."""
    sentences = dict.fromkeys(names, 0)
    entities = dict.fromkeys(names, 0)
    for split, sentence in assigned:
        sentences[split] += 1
        entities[split] += len(sentence.spans)
        yield split, sentence
    for split, count in sentences.items():
        if not count:
            raise UserError(
                f"{splits.path}: found no sentence for {split} ({_tally(sentences)}); {_remedy(splits, split)}"
            )
        if not entities[split]:
            raise UserError(
                f"{splits.path}: found no entity in {split} ({_tally(sentences)}); expected labelled sentences"
            )


def _tally(sentences: Mapping[str, int]) -> str:
    return ", ".join(f"{split}: {count} sentences" for split, count in sentences.items())


def _remedy(splits: Splits, split: str) -> str:
    if split in splits.files:
        return f"expected sentences in {', '.join(splits.files[split])}"
    return f"expected more sentences or documents to split, or a file for {split} of its own, with {split} in its name"


def is_json(file: str, encoding: str) -> bool:
    """Whether the file holds JSON Lines: its ending says so, or its first line is a JSON object or list.

    Raises UserError for a JSON document.
    """
    first = next((line for line in lines(file, encoding) if line.strip()), "")
    if not first:
        raise UserError(
            f"{file}: found nothing but blank lines; expected CoNLL columns or JSON Lines"
        )
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        if is_json_name(file) and first.strip() in ("[", "{"):
            raise UserError(_document_message(file)) from None
        return is_json_name(file)
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        raise UserError(_document_message(file))
    return is_json_name(file) or isinstance(value, (dict, list))


def _document_message(file: str) -> str:
    return (
        f"{file}:1: found one JSON document; expected JSON Lines, one object a line. Convert it, as "
        f"with jq -c '.[]' {file} > {file.rpartition('.')[0]}.jsonl"
    )
