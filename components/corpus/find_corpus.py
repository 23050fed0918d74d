"""The corpus of a run: the files of a path, or of the spans in it, and the test split."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from components.corpus.data_spans import DataSpan, find_spans, is_spans
from components.corpus.split_files import Splits, corpus_files, find_splits, splits_named
from components.corpus.text_files import base_name
from components.corpus.window import EVERYTHING, Choice, Window, choose
from components.errors import UserError


def find_corpus(path: str | os.PathLike[str], choice: Choice = EVERYTHING) -> Splits:
    """The splits in a file or folder, or in the selected spans of a folder, joined split by split.

    A golden set, or the newest span held out, replaces the test split of the corpus.

    Raises:
      UserError: there is no corpus that a model could be trained on, or `window.choose` refuses the spans.
    """
    path = os.path.abspath(os.fspath(path))
    if choice.held_out and choice.golden:
        raise UserError(
            "spans.newest=held-out and golden: found both; expected one test split, leave one of them out"
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
            f"{path}: found no spans, to which {choice.of_spans} applies; expected folders as span-1 there"
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
