"""Looks at a corpus before time is spent on it, as spaCy's `debug data` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from components.corpus.counts import CorpusCounts
from components.corpus.data_spans import is_spans
from components.corpus.find_corpus import find_corpus
from components.corpus.findings import (
    FAILURE,
    GOOD,
    WARNING,
    Finding,
    judge,
    unseen_share,
    worst_first,
)
from components.corpus.reading import (
    DEFAULTS,
    SKIP,
    ReadOptions,
    make_plan,
    offsets_remedy,
    read_records,
)
from components.corpus.records import Notice, Read, Rejected
from components.corpus.split_files import Splits, find_splits
from components.errors import UserError

__all__ = ["CheckReport", "Figures", "Finding", "check_corpus"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One split in numbers.

    `unseen` is the share of its entities, from 0 to 1, that train does not have; None for train.
    """

    sentences: int
    tokens: int
    entities: int
    documents: int
    longest: int
    types: Mapping[str, int]
    unseen: float | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found: the figures of each split, the scheme (None without CoNLL files), sentences that cannot be read,
    and the findings.
    """

    path: str
    scheme: str | None
    splits: Mapping[str, Figures]
    bad_sentences: int = 0
    unused_texts: int = 0
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    def count(self, level: str) -> int:
        """How many findings there are of a level."""
        return sum(finding.level == level for finding in self.findings)

    @property
    def failed(self) -> bool:
        """Whether a run on this corpus would be refused."""
        return self.count(FAILURE) > 0

    def as_dict(self) -> dict[str, object]:
        """What `check --json` writes."""
        return {
            **asdict(self),
            "summary": {level: self.count(level) for level in (GOOD, WARNING, FAILURE)},
        }


def check_corpus(path: str, options: ReadOptions = DEFAULTS) -> CheckReport:
    """Reads all of a corpus, past every problem. Raises UserError only where there is no corpus at all."""
    found = find_corpus(path) if is_spans(path) else find_splits(path, need_train=False)
    splits, unreadable = _readable(found, options)
    plan = make_plan(splits, options)
    gathered = CorpusCounts(splits.names)
    for name, files in splits.files.items():
        rule = plan.rules.get(name)
        for file in files:
            for record in read_records(file, plan, options):
                if isinstance(record, Read):
                    split = rule.split_of(record.sentence) if rule else name
                    tag_format = plan.files[file].tag_format
                    scheme = tag_format.scheme if tag_format else None
                    gathered.add(split, record.sentence, record.tags, scheme)
                elif isinstance(record, Rejected):
                    gathered.add_bad(record.bad)
                elif isinstance(record, Notice):
                    gathered.add_notice(record)
                else:
                    gathered.unused.add(f"{record.file}:{record.line}")
    gathered.unreadable_files = len(unreadable)
    gathered.allow_mismatch = options.token_mismatch == "allow"
    if gathered.first_bad:
        bad = gathered.first_bad
        gathered.remedy = offsets_remedy(bad.file, plan, options) or bad.remedy
    return CheckReport(
        path=splits.path,
        scheme=plan.scheme,
        splits={name: _figures(gathered, name) for name in splits.names},
        bad_sentences=gathered.bad.count,
        unused_texts=gathered.unused.count,
        notes=(*splits.notes, *plan.notes),
        findings=worst_first((*unreadable, *judge(gathered, options.bad_lines == SKIP))),
    )


def _figures(gathered: CorpusCounts, name: str) -> Figures:
    counts = gathered.splits[name]
    types = dict(sorted(counts.types.items()))
    unseen = None if name == "train" else unseen_share(gathered, name)
    return Figures(
        counts.sentences,
        counts.tokens,
        counts.entities,
        counts.documents,
        counts.longest,
        types,
        unseen,
    )


def _readable(splits: Splits, options: ReadOptions) -> tuple[Splits, list[Finding]]:
    """The splits without the files that cannot be read at all, and a failure for each of those."""
    findings: list[Finding] = []
    files: dict[str, tuple[str, ...]] = {}
    for name, paths in splits.files.items():
        files[name] = ()
        for path in paths:
            try:
                make_plan(Splits(path, {"all": (path,)}), options)
                files[name] += (path,)
            except UserError as error:
                findings.append(Finding(FAILURE, str(error)))
    return Splits(splits.path, files, splits.notes), findings
