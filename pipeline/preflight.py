"""A look at a corpus before a run: bad lines are refused before any time is spent, and its content gets a hash."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from components.corpus import reading
from components.corpus.counts import Tally
from components.corpus.data_spans import DataSpan
from components.corpus.find_corpus import find_corpus
from components.corpus.records import BadLine, Notice
from components.corpus.split_files import fingerprint
from components.corpus.token_mismatch import TokenMismatch
from components.corpus.window import EVERYTHING, Choice
from components.errors import UserError
from components.report.figures import SpanFigures

_SENTENCE = ""  # no name of a type


@dataclass(frozen=True)
class Survey:
    """`fingerprint`: hash of the files' content by split; `sentences`: number by split; `left_out`: bad sentences; `spans`: what
    is in each span, if the corpus is of spans; `plan`: how each file is read.
    """

    splits: reading.Splits
    plan: reading.Plan
    fingerprint: str
    sentences: dict[str, int]
    left_out: int
    spans: tuple[SpanFigures, ...]


def look(
    path: str, options: reading.ReadOptions, aside: Path, choice: Choice = EVERYTHING
) -> Survey:
    """Reads the whole corpus once.

    Args:
      path: a file or a folder, or where spans are.
      options: how to read it.
      aside: file for the sentences left out, one JSON object each; made only if there are any.
      choice: which spans to take, and what to evaluate on.

    Raises:
      UserError: as `components.corpus.find_corpus` and `components.corpus.reading` do.
    """
    splits = find_corpus(path, choice)
    sentences = dict.fromkeys(splits.names, 0)
    by_span: dict[DataSpan, Counter[str]] = {span: Counter() for span in splits.spans}
    plan = reading.make_plan(splits, options)
    notices: dict[str, Tally] = {}

    def count(notice: Notice) -> None:
        tally = notices.setdefault(notice.what, Tally())
        tally.add(f"{notice.file}:{notice.line}", notice.count)

    mismatch = TokenMismatch()
    with _Aside(aside) as write:
        for split, sentence in reading.read_corpus(splits, options, write, plan, count):
            mismatch.add(sentence)
            sentences[split] += 1
            span = splits.span_of(sentence.file)
            if span:
                by_span[span].update([_SENTENCE, *(entity.type for entity in sentence.spans)])
    spans = tuple(
        SpanFigures(
            span.number, span.version, counts.pop(_SENTENCE, 0), dict(sorted(counts.items()))
        )
        for span, counts in by_span.items()
    )
    if mismatch.is_useless and options.token_mismatch == "stop":
        raise UserError(
            f"{path}: {mismatch}; train on words, or go on with --set token_mismatch=allow"
        )
    told = [f"{tally.count} {what}, the first at {tally.first}." for what, tally in notices.items()]
    told += [f"{mismatch}."] if mismatch.is_worth_a_warning else []
    splits = replace(splits, notes=(*splits.notes, *plan.notes, *told))
    return Survey(splits, plan, fingerprint(splits), sentences, write.count, spans)


class _Aside:
    """Writes sentences that are left out to a file, which it makes at the first one."""

    def __init__(self, path: Path):
        self._path, self._file, self.count = path, None, 0

    def __enter__(self):
        return self

    def __call__(self, bad: BadLine, raw: str) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
        record = {
            "file": bad.file,
            "line": bad.line,
            "found": bad.found,
            "expected": bad.expected,
            "raw": raw,
        }
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.count += 1

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()
