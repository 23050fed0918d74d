"""Reads a corpus: every sentence with its split, from files of any format."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from typing import Any

from components.corpus.char_spans import (
    CODE_POINTS,
    OFFSET_UNITS,
    OVERLAPPING,
    OffsetEvidence,
    convert_offsets,
    fits_utf16,
    longest_disjoint,
    offset_evidence,
    to_token_spans,
)
from components.corpus.formats import detect_format, format_named
from components.corpus.formats.base import Format, Record, Source, Survey, rejected
from components.corpus.model_tokens import EdgeCounts
from components.corpus.options import DEFAULTS, REFUSE, SKIP, ReadOptions
from components.corpus.records import (
    BadLine,
    InvalidRecord,
    Notice,
    Read,
    Rejected,
    TextRecord,
    TokenRecord,
    Unused,
    quote,
)
from components.corpus.splits import DEV_CUT, SplitRule, Splits, rule_for
from components.corpus.tag_formats import (
    TagFormat,
    detect_tag_format,
    normalized_pairs,
)
from components.corpus.text_files import base_name
from components.errors import UserError
from components.ner.granularity import WORDS, Granularity
from components.ner.sentence import Sentence, Span
from components.ner.tags import misfits, prefixes, scheme_of_pairs, spans_of
from components.ner.tokens import join_tokens, text_parts

OnBad = Callable[[BadLine, str], None]
"""Called with each sentence that is left out: the reason, and its lines as the file has them."""

OnNotice = Callable[[Notice], None]
"""Called with each notice of a reader, and for each text that its annotators did not accept."""

_OWN_SCHEME = 0.05
"""Share of ill-formed tags in the corpus's scheme, above which a file is read in its own scheme."""
AMBIGUOUS = (
    "texts with characters beyond U+FFFF (emoji) whose offsets may count code points or UTF-16 units; they are read as"
    " code points (--set offsets=code-points or offsets=utf16)"
)
CUT = "long texts, cut into parts at ends of sentences as the model cuts them"
_SMALL_CORPUS = 1 << 21  # bytes, below which a corpus is read to choose its split
_FEW_DOCUMENTS = 100
_GRANULARITY_SAMPLE = 5_000  # records of train: enough to choose the tokenizer's granularity
_LABEL_IT = ": a token whose tag is not known cannot be trained on yet; label it, or tag it O if it is not an entity"
_UNKNOWN_TAGS = ("-", "_", "?", "-X-", "UNK", "[UNK]", "-100")


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How one file is read."""

    format: str
    """Name of its format."""
    tag_format: TagFormat | None = None
    """How its tags are written, None where it has spans."""
    layout: Mapping[str, Any] = field(default_factory=dict)
    """The layout in its survey, as JSON values."""
    has_documents: bool = True
    """Whether its sentences get the identity of their document."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the files of a corpus are read and split."""

    files: Mapping[str, FilePlan] = field(default_factory=dict)
    """How each file is read, by path."""
    rules: Mapping[str, SplitRule] = field(default_factory=dict)
    """How a hash splits the files of "all", or the files of "train" if dev is cut from it."""
    notes: tuple[str, ...] = ()
    """Messages for the user about what was decided."""
    granularity: Granularity = WORDS
    """How fine the model's tokens are, as set or chosen."""

    @property
    def formats(self) -> str:
        """The formats of the files, as in "CoNLL columns"."""
        return ", ".join(sorted({format_named(plan.format).title for plan in self.files.values()}))

    @property
    def scheme(self) -> str | None:
        """The tag schemes of the files, as in "IOB2"; None where no file has tags."""
        schemes = {plan.tag_format.scheme for plan in self.files.values() if plan.tag_format}
        return ", ".join(sorted(schemes)) or None


def make_plan(splits: Splits, options: ReadOptions = DEFAULTS) -> Plan:
    """Surveys all files of a corpus.

    Each file has its own format and its own form of tags. All files have the same scheme, unless many tags of a file are
    ill-formed in it: then the file is read in its own. The files of a split have documents if two or more documents
    begin there: a single one does not say where the split can be divided.
    """
    formats: dict[str, Format] = {}
    surveys: dict[str, Survey] = {}
    has_documents: dict[str, bool] = {}
    for files in splits.files.values():
        for path in files:
            formats[path] = (
                format_named(options.format)
                if options.format
                else detect_format(path, options.encoding)
            )
            surveys[path] = formats[path].survey(Source(path, options))
        marked = sum(surveys[path].documents for path in files if surveys[path].document_marks)
        for path in files:
            marks = surveys[path].document_marks
            has_documents[path] = (marked > 1 and marks > 0) or not (
                marks or surveys[path].documents
            )
    notes = [
        f"{base_name(path)}: {notice}"
        for path, survey in surveys.items()
        for notice in survey.notices
    ]
    tag_formats = _tag_formats(surveys, options, notes)
    plan = Plan(
        {
            path: FilePlan(
                formats[path].name, tag_formats.get(path), survey.layout, has_documents[path]
            )
            for path, survey in surveys.items()
        }
    )
    plan = replace(plan, granularity=_granularity(splits, plan, options, notes))
    rules = _split_rules(splits, plan, surveys, options, notes)
    return replace(plan, rules=rules, notes=tuple(notes))


def _tag_formats(
    surveys: Mapping[str, Survey], options: ReadOptions, notes: list[str]
) -> dict[str, TagFormat]:
    """How the files that have tags write them; adds to the notes what is unusual."""
    tagged = {path: survey.tag_pairs for path, survey in surveys.items() if survey.tag_pairs}
    formats = {
        path: detect_tag_format(pairs, options.tag_format, options.outside_tag, options.entity_type)
        for path, pairs in tagged.items()
    }
    schemes = _schemes(
        {path: normalized_pairs(formats[path], pairs) for path, pairs in tagged.items()},
        options.scheme,
    )
    if len(set(schemes.values())) > 1:
        each = ", ".join(f"{base_name(path)} in {scheme}" for path, scheme in schemes.items())
        notes.append(f"Each file is read in its own scheme ({each}).")
    oddities = Counter(tags.oddity for tags in formats.values() if tags.oddity)
    for oddity, count in oddities.items():
        which = "" if count == len(formats) else f" in {count} of {len(formats)} files"
        notes.append(f"Found {oddity}{which}.")
    schemes |= {path: "IOB1" for path, tags in formats.items() if tags.pattern == "PER"}
    return {path: replace(formats[path], scheme=scheme) for path, scheme in schemes.items()}


def _granularity(splits: Splits, plan: Plan, options: ReadOptions, notes: list[str]) -> Granularity:
    """The granularity of the settings, by default the coarsest that fits train; adds a note if it is not words."""
    if options.granularity is not None or options.unaligned_spans != REFUSE:
        return options.granularity or WORDS
    train = [path for name in ("train", "all") for path in splits.files.get(name, ())]
    files = train or [*plan.files]
    size = max(1, _GRANULARITY_SAMPLE // max(1, len(files)))
    counts = EdgeCounts()
    for path in files:
        _count_edges(path, plan, options, size, counts)
    granularity = counts.choose()
    if granularity == WORDS:
        return WORDS
    # Offsets in another unit shift the spans, and a finer tokenizer would accept the shifted spans.
    evidence = (_offset_evidence(path, plan, options, size) for path in files)
    if any(found and found.other_unit for found in evidence):
        return WORDS
    notes.insert(
        0,
        f"tokenizer: {granularity.description}, because {counts.cut_share:.0%} of the entities begin or end inside a word"
        f" (--set tokenizer={granularity} keeps it so, tokenizer=words overrules it).",
    )
    return granularity


def _records(path: str, plan: Plan, options: ReadOptions) -> Iterator[Record]:
    file_plan = plan.files[path]
    return format_named(file_plan.format).read(Source(path, options, file_plan.layout))


def _count_edges(
    path: str, plan: Plan, options: ReadOptions, size: int, counts: EdgeCounts
) -> None:
    """Counts the edges of the entities in the first records of a file."""
    builder = _SentenceBuilder(path, plan, options)
    for record in islice(_records(path, plan, options), size):
        if isinstance(record, TextRecord):
            spans = convert_offsets(record.text, record.spans, options.offsets or CODE_POINTS)
            counts.add(record.text, ((span.start, span.end) for span in spans))
        elif isinstance(record, TokenRecord):
            sentence = builder.of_tokens(record)
            if isinstance(sentence, Read) and (spans := sentence.sentence.spans):
                text, offsets = join_tokens(sentence.sentence.tokens)
                edges = ((offsets[span.start][0], offsets[span.end - 1][1]) for span in spans)
                counts.add(text, edges)


def _offset_evidence(
    path: str, plan: Plan, options: ReadOptions, size: int | None = None
) -> OffsetEvidence | None:
    """How the offsets of a file fit its texts; None if it has no offsets, or if the options give their unit."""
    if options.offsets or format_named(plan.files[path].format).holds != "texts":
        return None
    return offset_evidence(islice(_records(path, plan, options), size), plan.granularity)


def _split_rules(
    splits: Splits,
    plan: Plan,
    surveys: Mapping[str, Survey],
    options: ReadOptions,
    notes: list[str],
) -> dict[str, SplitRule]:
    """The rules of the files that a hash splits; adds to the notes where a rule is not the usual one."""
    name = "all" if "all" in splits.files else "train"
    if name not in splits.files or (name == "train" and "dev" in splits.files):
        return {}
    shares = options.shares if name == "all" else DEV_CUT
    files = splits.files[name]
    usual = SplitRule(shares, options.split_by != "sentence")
    size = sum(os.path.getsize(path) for path in files)
    documents = sum(surveys[path].documents for path in files)
    in_documents = any(surveys[path].documents and plan.files[path].has_documents for path in files)
    if size >= _SMALL_CORPUS and not (in_documents and documents < _FEW_DOCUMENTS):
        return {name: usual}
    by_document = None if options.split_by is None else options.split_by == "document"
    skip = options.model_copy(update={"bad_lines": SKIP})
    rule = rule_for(sentences_of(files, plan, skip), shares, by_document)
    if rule != usual:
        how = (
            "by sentence, sentences with entities separately, so that each split has some"
            if rule.with_entities
            else "by sentence, and not by document, so that each split has entities"
        )
        notes.append(f"The corpus is small: it is split {how} (--set split_by=document).")
    return {name: rule}


def _schemes(pairs: Mapping[str, Counter[tuple[str, str]]], chosen: str | None) -> dict[str, str]:
    """The scheme of each file, from the counts of its neighbouring tags."""
    if chosen:
        return dict.fromkeys(pairs, chosen)
    together: Counter[tuple[str, str]] = Counter()
    for of_file in pairs.values():
        together.update(of_file)
    joint = scheme_of_pairs(together)
    schemes = {}
    for path, of_file in pairs.items():
        own = scheme_of_pairs(of_file)
        tagged = sum(count for (_, tag), count in of_file.items() if tag != "O")
        worse = misfits(of_file, joint) - misfits(of_file, own)
        # IOB1 and IOB2 are read by the same rule: a small file may look like either.
        differs = set(prefixes(own)) != set(prefixes(joint))
        schemes[path] = own if differs and worse > _OWN_SCHEME * tagged else joint
    return schemes


def read_records(
    path: str, plan: Plan, options: ReadOptions = DEFAULTS
) -> Iterator[Read | Rejected | Unused | Notice]:
    """The sentences of one file of the plan, and its rejected records, unused texts and notices.

    Raises UserError only for a file that cannot be read at all.
    """
    builder = _SentenceBuilder(path, plan, options)
    for record in _records(path, plan, options):
        if isinstance(record, TokenRecord):
            yield builder.of_tokens(record)
        elif isinstance(record, TextRecord):
            yield from builder.of_text(record)
        else:
            yield record
        if builder.counts:
            for what, count in builder.counts.items():
                yield Notice(what, path, record.lines[0][0], count)
            builder.counts.clear()
    if builder.ambiguous and not builder.proven:
        yield Notice(AMBIGUOUS, path, builder.ambiguous[0], len(builder.ambiguous))


class _SentenceBuilder:
    """Makes sentences of the records of a file."""

    def __init__(self, path: str, plan: Plan, options: ReadOptions) -> None:
        self._path, self._name = path, base_name(path)
        self._options, self._granularity = options, plan.granularity
        self._tag_format = plan.files[path].tag_format or TagFormat()
        self._has_documents = plan.files[path].has_documents
        self._normalized: dict[str, str] = {}  # by tag as the file writes it
        self._type_map = options.type_map
        self.counts: Counter[str] = Counter()
        # Lines of texts whose offsets may count UTF-16 units, and whether another text shows the unit.
        self.ambiguous: list[int] = []
        self.proven = options.offsets is not None

    def of_tokens(self, record: TokenRecord) -> Read | Rejected:
        """The sentence of tokens with tags, or with spans of tokens."""
        tokens, tags, lines, document, _, spans, _ = record
        first = lines[0][0]
        if tags:
            try:
                tags = [self._normalized[tag] for tag in tags]
            except KeyError:
                try:
                    tags = self._normalize(record)
                except InvalidRecord as error:
                    return rejected(error, self._path, list(lines))
            spans = spans_of(tags, self._tag_format.scheme) if tags.count("O") < len(tags) else ()
        elif spans:
            disjoint = longest_disjoint(spans)
            if len(disjoint) < len(set(spans)):
                self.counts[OVERLAPPING] += len(set(spans)) - len(disjoint)
            spans = disjoint
        sentence = Sentence(
            tuple(tokens),
            self._renamed(spans),
            document if self._has_documents else "",
            f"{self._name}:{first}",
            file=self._path,
            line=first,
        )
        return Read(sentence, tags if record.tags else None, record)

    def _normalize(self, record: TokenRecord) -> list[str]:
        tags = []
        for index, tag in enumerate(record.tags):
            try:
                normalized = self._tag_format.normalize(tag)
            except ValueError:
                lines = record.lines
                line = lines[index][0] if len(lines) == len(record.tokens) else lines[0][0]
                raise InvalidRecord(
                    f"the tag {quote(tag)} of {quote(record.tokens[index])}",
                    self._tag_format.expected + (_LABEL_IT if tag in _UNKNOWN_TAGS else ""),
                    line,
                ) from None
            self._normalized[tag] = normalized
            tags.append(normalized)
        return tags

    def _renamed(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """The spans with their types renamed by the setting `map`, without the types that it drops."""
        if not self._type_map:
            return tuple(spans)
        names = ((span, self._type_map.get(span.type, span.type)) for span in spans)
        return tuple(Span(span.start, span.end, name) for span, name in names if name)

    def of_text(self, record: TextRecord) -> Iterator[Read | Rejected]:
        """The sentence of a text with spans of characters; several of a long text, which the model cuts too."""
        try:
            offsets, spans = to_token_spans(
                record.text, record.spans, self._options, self.counts, self._granularity
            )
        except InvalidRecord as error:
            self.counts.clear()
            yield rejected(error, self._path, list(record.lines))
            return
        line = record.lines[0][0]
        if not self.proven and not record.text.isascii():
            fits = fits_utf16(record, offsets)
            self.proven = fits is False
            if fits:
                self.ambiguous.append(line)
        spans = self._renamed(spans)
        text = record.text
        document = record.document if self._has_documents else ""
        parts = text_parts(text, offsets, spans)
        if len(parts) > 1:
            self.counts[CUT] += 1
            # The parts of a text stay in one split.
            document = document or blake2b(text.encode(), digest_size=8).hexdigest()
        for number, (first, last) in enumerate(parts):
            start, end, part = 0, len(text), ""
            if len(parts) > 1:
                start, end, part = offsets[first][0], offsets[last - 1][1], f".{number + 1}"
            sentence = Sentence(
                tuple(text[left:right] for left, right in offsets[first:last]),
                tuple(
                    Span(span.start - first, span.end - first, span.type)
                    for span in spans
                    if first <= span.start < last
                ),
                document,
                f"{self._name}:{line}{part}",
                tuple((left - start, right - start) for left, right in offsets[first:last]),
                text[start:end],
                self._path,
                line,
            )
            yield Read(sentence, None, record if number == 0 else None)


def read_sentences(
    path: str | os.PathLike[str],
    options: ReadOptions = DEFAULTS,
    on_bad: OnBad | None = None,
    on_notice: OnNotice | None = None,
) -> Iterator[Sentence]:
    """The sentences of one file.

    Raises UserError for a file that cannot be read or has no sentence, and for a bad line unless `options.bad_lines` is
    'skip'; then `on_bad` is called with each sentence left out.
    """
    path = os.fspath(path)
    plan = make_plan(Splits(path, {"all": (path,)}), options)
    count = 0
    for sentence in sentences_of((path,), plan, options, on_bad, on_notice):
        count += 1
        yield sentence
    if not count:
        raise UserError(f"{path}: found no sentence to read; expected labelled text")


def read_corpus(
    splits: Splits,
    options: ReadOptions = DEFAULTS,
    on_bad: OnBad | None = None,
    plan: Plan | None = None,
    on_notice: OnNotice | None = None,
) -> Iterator[tuple[str, Sentence]]:
    """Every sentence of the corpus with its split: 'train', 'dev' or, where the corpus has it, 'test'.

    Without a plan, the files are surveyed first.

    Raises UserError as `read_sentences` does, and after the last sentence if a split has no sentence or no entity.
    """
    plan = plan or make_plan(splits, options)
    return _split_sentences(splits, splits.names, plan, options, on_bad, on_notice)


def read_split(
    splits: Splits,
    split: str,
    options: ReadOptions = DEFAULTS,
    on_bad: OnBad | None = None,
    plan: Plan | None = None,
    on_notice: OnNotice | None = None,
) -> Iterator[Sentence]:
    """The sentences of one split, as `read_corpus` gives them; only the files with sentences of the split are read.

    `on_bad` is called for every bad sentence of these files: the split of a bad sentence is not known.
    """
    plan = plan or make_plan(splits, options)
    for _, sentence in _split_sentences(splits, (split,), plan, options, on_bad, on_notice):
        yield sentence


def _split_sentences(
    splits: Splits,
    names: Sequence[str],
    plan: Plan,
    options: ReadOptions,
    on_bad: OnBad | None,
    on_notice: OnNotice | None,
) -> Iterator[tuple[str, Sentence]]:
    """The sentences of some splits. Raises UserError at the end if one of them has no sentence or no entity."""
    sentences = dict.fromkeys(names, 0)
    entities = dict.fromkeys(names, 0)
    for name, files in splits.files.items():
        rule = plan.rules.get(name)
        if name not in names and not (rule and (name == "all" or "dev" in names)):
            continue
        for sentence in sentences_of(files, plan, options, on_bad, on_notice):
            split = rule.split_of(sentence) if rule else name
            if split in sentences:
                sentences[split] += 1
                entities[split] += len(sentence.spans)
                yield split, sentence
    counts = ", ".join(f"{split}: {count} sentences" for split, count in sentences.items())
    for split in names:
        if not sentences[split]:
            expected = (
                f"sentences in {', '.join(splits.files[split])}"
                if split in splits.files
                else f"more sentences or documents to split, or a file for {split}, with {split} in its name"
            )
            raise UserError(
                f"{splits.path}: found no sentence for {split} ({counts}); expected {expected}"
            )
        if not entities[split]:
            raise UserError(
                f"{splits.path}: found no entity in {split} ({counts}); expected labelled sentences"
            )


def sentences_of(
    files: Iterable[str],
    plan: Plan,
    options: ReadOptions,
    on_bad: OnBad | None = None,
    on_notice: OnNotice | None = None,
) -> Iterator[Sentence]:
    """The sentences of some files. As the options say, bad ones are left out and given to `on_bad`, or raise UserError."""
    for file in files:
        for record in read_records(file, plan, options):
            if isinstance(record, Read):
                yield record.sentence
            elif isinstance(record, Rejected):
                if options.bad_lines == REFUSE:
                    remedy = offsets_remedy(file, plan, options) or record.bad.remedy
                    raise UserError(
                        f"{record.bad}. {remedy or 'Correct the line'}, or leave such sentences out with --set bad_lines=skip"
                    )
                if on_bad:
                    on_bad(record.bad, record.raw)
            elif on_notice:
                on_notice(
                    record
                    if isinstance(record, Notice)
                    else Notice(
                        "texts that annotators did not accept, left out", record.file, record.line
                    )
                )


def offsets_remedy(path: str, plan: Plan, options: ReadOptions) -> str:
    """The setting by which all spans of a file fit its tokens, "" where the unit of offsets is not the cause."""
    evidence = _offset_evidence(path, plan, options)
    if not evidence or not evidence.other_unit:
        return ""
    return (
        f"{evidence.misfits} of {evidence.texts} texts with spans do not fit, and all fit if offsets count"
        f" {OFFSET_UNITS[evidence.other_unit]}: read them with --set offsets={evidence.other_unit}"
    )
