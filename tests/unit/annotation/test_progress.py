"""The progress of an annotation, counted by the shards in its output."""

import io
import re

from rich.console import Console

from pipeline.annotation import annotate as progress


def shown(annotate, write, monkeypatch, **terminal):
    """Returns the progress output while the missing shards 1 and 3 are written."""
    path = write("a.txt", "so Ada\n" * 100)
    output, cut, _ = annotate(path, size=200, without=(1, 3))
    screen = Console(file=io.StringIO(), width=100, **terminal)
    left = [cut[1], cut[3]]
    monkeypatch.setattr(progress, "_BAR_SECONDS", 0.01)
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.01)
    with progress.progress_shown(screen, output, left, len(cut)):
        annotate(path, size=200)
        for _ in range(1000):
            if " 4 of 4" in screen.file.getvalue() or "100%" in screen.file.getvalue():
                break
            progress.time.sleep(0.01)
    return screen.file.getvalue()


def test_a_terminal_shows_a_bar_that_starts_at_the_finished_shards(annotate, write, monkeypatch):
    printed = shown(annotate, write, monkeypatch, force_terminal=True)
    assert "50%" in printed and "100%" in printed and re.search(r"\b50 texts", printed)


def test_without_a_terminal_progress_is_printed_in_lines(annotate, write, monkeypatch):
    lines = shown(annotate, write, monkeypatch).splitlines()
    assert lines and all(
        re.fullmatch(r"[234] of 4 shards, \d+ texts, [\d,]+ a second", line) for line in lines
    )


def test_texts_per_second_are_counted_from_the_first_shard_on(annotate, write, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    output, cut, _ = annotate(write("a.txt", "so Ada\n" * 100), size=200, without=(1, 2, 3))
    look = progress.Progress(output, cut)
    now[0] += 60  # the start
    look.update()
    first = look.texts
    assert look.speed == 0 and first > 0
    annotate(cut[0].path, size=200)
    now[0] += 5
    look.update()
    assert (look.finished, look.texts, look.speed) == (4, 100, (100 - first) / 5)
