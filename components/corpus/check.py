"""Checks a corpus before a run, as spaCy's `debug data` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from components.corpus import findings
from components.corpus.counts import CorpusCounts
from components.corpus.data_spans import is_spans
from components.corpus.find_corpus import find_corpus
from components.corpus.findings import FAILURE, GOOD, WARNING, Finding, unseen_share
from components.corpus.options import DEFAULTS, SKIP, ReadOptions
from components.corpus.reading import Plan, make_plan, offsets_remedy, read_records
from components.corpus.records import Notice, Read, Rejected
from components.corpus.splits import Splits, find_splits
from components.errors import UserError
from components.ner.granularity import WORDS_NAME

__all__ = ["CheckReport", "Figures", "Finding", "check_corpus"]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one split."""

    sentences: int
    tokens: int
    entities: int
    documents: int
    longest: int
    """Tokens of the longest sentence."""
    types: Mapping[str, int]
    """Entities of each type."""
    unseen: float | None = None
    """Share of the entities that train does not have, from 0 to 1; None for train."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of a check."""

    path: str
    scheme: str | None
    """Tag schemes of the files, None if no file has tags."""
    splits: Mapping[str, Figures]
    bad_sentences: int = 0
    """Sentences that cannot be read."""
    unused_texts: int = 0
    """Texts that annotators did not accept."""
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    formats: str = ""
    """Formats of the files, as in "CoNLL columns"."""
    tokenizer: str = WORDS_NAME
    """Granularity of the model's tokenizer, as the setting of that name takes it."""

    def count(self, level: str) -> int:
        """The number of findings of a level."""
        return sum(finding.level == level for finding in self.findings)

    @property
    def failed(self) -> bool:
        """Whether a run on this corpus would be refused."""
        return self.count(FAILURE) > 0

    def as_dict(self) -> dict[str, object]:
        """The report as `check --json` writes it."""
        return {
            **asdict(self),
            "summary": {level: self.count(level) for level in (GOOD, WARNING, FAILURE)},
        }


def check_corpus(path: str, options: ReadOptions = DEFAULTS) -> CheckReport:
    """Reads all of a corpus and continues after errors. Raises UserError only if there is no corpus."""
    splits = find_corpus(path) if is_spans(path) else find_splits(path, need_train=False)
    unreadable: list[Finding] = []
    try:
        plan = make_plan(splits, options)
    except UserError:
        splits, unreadable = _readable(splits, options)
        plan = make_plan(splits, options)
    gathered = CorpusCounts(splits.names, plan.granularity)
    for name, files in splits.files.items():
        for file in files:
            try:
                _count(gathered, file, plan, options, name)
            except UserError as error:
                unreadable.append(Finding(FAILURE, str(error)))
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
        formats=plan.formats,
        findings=findings.worst_first(
            (*unreadable, *findings.judge(gathered, options.bad_lines == SKIP))
        ),
        tokenizer=str(plan.granularity),
    )


def _count(gathered: CorpusCounts, file: str, plan: Plan, options: ReadOptions, name: str) -> None:
    """Counts the records of a file; `name` is its split, or "all"."""
    rule, tag_format = plan.rules.get(name), plan.files[file].tag_format
    scheme = tag_format.scheme if tag_format else None
    for record in read_records(file, plan, options):
        if isinstance(record, Read):
            split = rule.split_of(record.sentence) if rule else name
            gathered.add(split, record.sentence, record.tags, scheme)
        elif isinstance(record, Rejected):
            gathered.add_bad(record.bad)
        elif isinstance(record, Notice):
            gathered.add_notice(record)
        else:
            gathered.unused.add(f"{record.file}:{record.line}")


def _figures(gathered: CorpusCounts, name: str) -> Figures:
    counts = gathered.splits[name]
    return Figures(
        counts.sentences,
        counts.tokens,
        counts.entities,
        counts.documents,
        counts.longest,
        dict(sorted(counts.types.items())),
        None if name == "train" else unseen_share(gathered, name),
    )


def _readable(splits: Splits, options: ReadOptions) -> tuple[Splits, list[Finding]]:
    """The splits without the files that cannot be read at all, and a failure for each unreadable file."""
    # The granularity is chosen once, for the whole corpus.
    options = options.model_copy(update={"tokenizer": WORDS_NAME})
    failures: list[Finding] = []
    files: dict[str, tuple[str, ...]] = {}
    for name, paths in splits.files.items():
        files[name] = ()
        for path in paths:
            try:
                make_plan(Splits(path, {"all": (path,)}), options)
                files[name] += (path,)
            except UserError as error:
                failures.append(Finding(FAILURE, str(error)))
    return Splits(splits.path, files, splits.notes), failures
