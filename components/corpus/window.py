"""The spans of data that a run uses: the newest, without gaps between them, and each complete."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from components.corpus.data_spans import ALL_AT_ONCE, DataSpan, Rules
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
    """Path of labelled text that is the test split instead."""

    @property
    def of_spans(self) -> str:
        """The name of a setting that applies to spans only, "" if no such setting is given."""
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


def choose(path: str, spans: Sequence[DataSpan], choice: Choice) -> Window:
    """The spans of `path` that the settings select.

    Raises:
      UserError: there are no spans, a named span is missing, no span is left to train on, a span between two others is
        missing, or a span is not complete.
    """
    if not spans:
        raise UserError(
            f"{path}: found no span; expected folders as span-1, or files and folders that fit the pattern"
        )
    numbers = [span.number for span in spans]
    for name, number in (("first", choice.first), ("last", choice.last)):
        if number is not None and number not in numbers:
            raise UserError(
                f"{path}: span {number} is not there, which spans.{name} names; found {_listed(numbers)}."
                f" Wait for it, or name another"
            )
    lowest = numbers[0] if choice.first is None else choice.first
    highest = numbers[-1] if choice.last is None else choice.last
    within = [span for span in spans if lowest <= span.number <= highest]
    held_out = within.pop() if choice.held_out and within else None
    window = Window(tuple(within[-choice.window :] if choice.window else within), held_out)
    if not window.trained:
        raise UserError(
            f"{path}: found {held_out or 'no span'} and none before it to train on; expected an earlier one,"
            " or set spans.newest=train"
        )
    _refuse_gaps(path, window.all, choice.gaps)
    for span in window.all:
        if not span.whole:
            raise UserError(
                f"{span.path}: {span} is not complete: {span.lacking}. Wait until it is, or name an earlier one with"
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
