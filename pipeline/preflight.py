"""Reads a corpus before a run: bad lines are refused before time is spent, and the content gets a hash."""

import contextlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from components.corpus import reading
from components.corpus.counts import Tally
from components.corpus.data_spans import DataSpan
from components.corpus.find_corpus import EVERYTHING, Choice, find_corpus
from components.corpus.model_tokens import TokenMismatch
from components.corpus.records import BadLine, Notice
from components.corpus.splits import fingerprint
from components.errors import UserError
from components.report.figures import SpanFigures

_SENTENCE = ""  # counts sentences among the counts of types, none of which has this name


@dataclass(frozen=True)
class Survey:
    """The content of a corpus."""

    splits: reading.Splits  # its files by split
    plan: reading.Plan  # how each file is read
    fingerprint: str  # hash of the files' content by split
    sentences: dict[str, int]  # number of sentences by split
    left_out: int  # number of bad sentences
    spans: tuple[SpanFigures, ...]  # the content of each span, if the corpus has spans


def survey_corpus(
    path: str, options: reading.ReadOptions, left_out: Path, choice: Choice = EVERYTHING
) -> Survey:
    """Reads the whole corpus once.

    Args:
      path: a file, a folder, or a folder of spans.
      options: how to read it.
      left_out: file for the sentences that are left out, one JSON object each; made if there are any.
      choice: which spans to read, and what to evaluate on.

    Raises:
      UserError: as `components.corpus.find_corpus` and `components.corpus.reading` do.
    """
    splits = find_corpus(path, choice)
    plan = reading.make_plan(splits, options)
    sentences = dict.fromkeys(splits.names, 0)
    by_span: dict[DataSpan, Counter[str]] = {span: Counter() for span in splits.spans}
    notices: dict[str, Tally] = {}
    mismatch = TokenMismatch(plan.granularity)
    left_out_file, left_out_count = None, 0

    def count(notice: Notice) -> None:
        tally = notices.setdefault(notice.what, Tally())
        tally.add(f"{notice.file}:{notice.line}", notice.count)

    def leave_out(bad: BadLine, raw: str) -> None:
        nonlocal left_out_file, left_out_count
        if left_out_file is None:
            file = left_out.open("w", encoding="utf-8", errors="backslashreplace")
            left_out_file = files.enter_context(file)
        record = {"file": bad.file, "line": bad.line, "found": bad.found, "expected": bad.expected}
        left_out_file.write(json.dumps({**record, "raw": raw}, ensure_ascii=False) + "\n")
        left_out_count += 1

    with contextlib.ExitStack() as files:
        for split, sentence in reading.read_corpus(splits, options, leave_out, plan, count):
            mismatch.add(sentence)
            sentences[split] += 1
            if span := splits.span_of(sentence.file):
                by_span[span].update([_SENTENCE, *(entity.type for entity in sentence.spans)])
    if mismatch.is_useless and options.token_mismatch == "stop":
        remedy = "train on words, or go on with --set token_mismatch=allow"
        raise UserError(f"{path}: {mismatch}; {remedy}")
    spans = tuple(
        SpanFigures(
            span.number, span.version, counts.pop(_SENTENCE, 0), dict(sorted(counts.items()))
        )
        for span, counts in by_span.items()
    )
    notes = [
        f"{tally.count} {what}, the first at {tally.first}." for what, tally in notices.items()
    ]
    if mismatch.is_worth_a_warning:
        notes.append(f"{mismatch}.")
    splits = replace(splits, notes=(*splits.notes, *plan.notes, *notes))
    return Survey(splits, plan, fingerprint(splits), sentences, left_out_count, spans)
