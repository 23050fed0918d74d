"""The corpus of a run: the files of a path, or of the spans of data that the settings select, and the test split."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from components.corpus.data_spans import ALL_AT_ONCE, DataSpan, Rules, find_spans, is_spans
from components.corpus.splits import Splits, corpus_files, find_splits, splits_named
from components.corpus.text_files import base_name
from components.errors import UserError

_SHOWN = 6  # numbers in a message


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings that say which data a run uses."""

    window: int | None = None
    """Number of spans to train on, None for all."""
    first: int | None = None
    """Number of the first span."""
    last: int | None = None
    """Number of the last span."""
    held_out: bool = False
    """Whether the newest span is the test split, and the window ends before it."""
    gaps: bool = False
    """Whether numbers may be missing between two spans."""
    rules: Rules = ALL_AT_ONCE
    """When a span is complete."""
    golden: str | None = None
    """Path of labelled text that replaces the test split."""

    @property
    def of_spans(self) -> str:
        """The name of a setting that needs spans, "" if no setting needs them."""
        given = {
            "window": self.window is not None,
            "spans.first": self.first is not None,
            "spans.last": self.last is not None,
            "spans.newest=held-out": self.held_out,
        }
        return next((name for name, there in given.items() if there), "")


@dataclass(frozen=True, slots=True)
class Window:
    """The spans that a run uses."""

    trained: tuple[DataSpan, ...]
    """The spans to train on, in order."""
    held_out: DataSpan | None = None
    """The span to evaluate on."""

    @property
    def all(self) -> tuple[DataSpan, ...]:
        """All spans, in order."""
        return (*self.trained, self.held_out) if self.held_out else self.trained


EVERYTHING = Choice()


def find_corpus(path: str | os.PathLike[str], choice: Choice = EVERYTHING) -> Splits:
    """The splits in a file or folder, or in the selected spans of a folder, joined split by split.

    A golden set, or the newest span held out, replaces the test split of the corpus.

    Raises:
      UserError: there is no corpus that a model could be trained on, or `choose` refuses the spans.
    """
    path = os.path.abspath(os.fspath(path))
    if choice.held_out and choice.golden:
        raise UserError(
            "spans.newest=held-out and golden: found both; expected one test split. Leave one of the two settings out"
        )
    own_test = choice.golden is None and not choice.held_out
    if is_spans(path):
        window = choose(path, find_spans(path, choice.rules), choice)
        splits = _together(path, window, own_test)
        if window.held_out:
            splits = _tested_on(
                splits, corpus_files(window.held_out.path), f"{window.held_out}, held out"
            )
    elif choice.of_spans:
        raise UserError(
            f"{path}: found no spans, but {choice.of_spans} is set; expected folders such as span-1 in it"
        )
    else:
        splits = find_splits(path, own_test)
    if choice.golden is None:
        return splits
    golden = os.path.abspath(choice.golden)
    files = corpus_files(golden)
    named = tuple(file for file in files if splits_named(base_name(file)) == ("test",))
    return _tested_on(splits, named or files, f"the golden set {base_name(golden)}")


def _together(path: str, window: Window, own_test: bool) -> Splits:
    """The splits of the spans to train on, joined."""
    files: dict[str, tuple[str, ...]] = {}
    notes: dict[str, list[DataSpan]] = {}
    for span in window.trained:
        found = find_splits(span.path, own_test)
        for name, more in found.files.items():
            files[name] = (*files.get(name, ()), *more)
        for note in found.notes:
            notes.setdefault(note, []).append(span)
    return Splits(path, files, (_chosen(window), *_merged(notes, len(window.trained))), window.all)


def _chosen(window: Window) -> str:
    numbers = ", ".join(str(span).removeprefix("span ") for span in window.trained)
    held_out = f"; {window.held_out} is held out to evaluate on" if window.held_out else ""
    return f"Trained on span{'s' if len(window.trained) > 1 else ''} {numbers}{held_out}."


def _merged(notes: dict[str, list[DataSpan]], all_spans: int) -> Iterator[str]:
    """Each note once, with its spans unless it applies to all."""
    for note, spans in notes.items():
        yield note if len(spans) == all_spans else f"{', '.join(map(str, spans))}: {note}"


def _tested_on(splits: Splits, test: tuple[str, ...], test_is: str) -> Splits:
    """The splits with another test split."""
    return replace(splits, files={**splits.files, "test": test}, test_is=test_is)


def choose(path: str, spans: Sequence[DataSpan], choice: Choice) -> Window:
    """The spans of `path` that the settings select.

    Raises:
      UserError: there are no spans, a named span is missing, no span is left to train on, a span between two others is
        missing, or a span is not complete.
    """
    if not spans:
        raise UserError(
            f"{path}: found no span; expected folders such as span-1, or files and folders that fit the pattern"
        )
    numbers = [span.number for span in spans]
    for name, number in (("first", choice.first), ("last", choice.last)):
        if number is not None and number not in numbers:
            raise UserError(
                f"{path}: found no span {number}, which spans.{name} names; expected one of {_listed(numbers)}."
                " Wait for it, or name another span"
            )
    lowest = numbers[0] if choice.first is None else choice.first
    highest = numbers[-1] if choice.last is None else choice.last
    within = [span for span in spans if lowest <= span.number <= highest]
    held_out = within.pop() if choice.held_out and within else None
    window = Window(tuple(within[-choice.window :] if choice.window else within), held_out)
    if not window.trained:
        raise UserError(
            f"{path}: found no span to train on{f' before {held_out}' if held_out else ''}; expected an earlier span, or"
            " set spans.newest=train"
        )
    _refuse_gaps(path, window.all, choice.gaps)
    for span in window.all:
        if not span.whole:
            raise UserError(
                f"{span.path}: {span} is not complete: {span.lacking}. Wait until it is complete, or name an earlier span with"
                " --set spans.last=NUMBER"
            )
    return window


def _refuse_gaps(path: str, spans: Sequence[DataSpan], allowed: bool) -> None:
    for before, after in itertools.pairwise(spans):
        missing = range(before.number + 1, after.number)
        if missing and not allowed:
            many = (
                f"span {missing[0]} is"
                if len(missing) == 1
                else f"spans {missing[0]} to {missing[-1]} are"
            )
            raise UserError(
                f"{path}: {many} missing between span {before.number} and span {after.number}. Add the missing data, or continue"
                " without it by --set spans.gaps=allow"
            )


def _listed(numbers: Sequence[int]) -> str:
    few = ", ".join(map(str, numbers[-_SHOWN:]))
    return (
        few
        if len(numbers) <= _SHOWN
        else f"{numbers[0]} to {numbers[-1]}, the newest of them {few}"
    )
