"""How far an annotation is: a bar on a terminal, a line a minute elsewhere."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

from rich.console import Console

from pipeline.annotation.output import Output
from pipeline.annotation.shards import Shard
from pipeline.text_bar import text_bar

_OFTEN, _SELDOM = 0.5, 60.0  # seconds between looks, and between lines where there is no terminal


@contextlib.contextmanager
def watched(console: Console, output: Output, left: Sequence[Shard], shards: int) -> Iterator[None]:
    """Shows meanwhile which shards appear, by looking into the output: so it does not matter where the workers are."""
    ended = threading.Event()
    show = _bar if console.is_terminal else _lines
    thread = threading.Thread(
        target=show, args=(console, _Look(output, left), shards, ended), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Look:
    """Counts the shards that have become whole, and their texts."""

    def __init__(self, output: Output, left: Sequence[Shard]):
        self._output, self._left = output, {shard.number for shard in left}
        self.of, self.done, self.texts = len(left), 0, 0
        self._began, self._before = (
            0.0,
            0,
        )  # when the first shards were there, and their texts: the start takes long

    def again(self) -> None:
        there = self._output.whole()
        for number in sorted(self._left):
            if self._output.has(number, there):
                self._left.discard(number)
                self.done += 1
                self.texts += self._output.read_note(number)["texts"]
        if self.done and not self._began:
            self._began, self._before = time.monotonic(), self.texts

    @property
    def speed(self) -> float:
        """Texts a second since the first shards were there."""
        return (self.texts - self._before) / max(time.monotonic() - self._began, 1e-9)


def _bar(console: Console, look: _Look, shards: int, ended: threading.Event) -> None:
    with text_bar(console, redirect_stderr=False) as bar:
        task = bar.add_task("", total=shards, completed=shards - look.of, lines=0, speed=0.0)
        while True:
            over = ended.wait(_OFTEN)
            look.again()
            bar.update(
                task, completed=shards - look.of + look.done, lines=look.texts, speed=look.speed
            )
            if over:
                return


def _lines(console: Console, look: _Look, shards: int, ended: threading.Event) -> None:
    while not ended.wait(_SELDOM):
        look.again()
        console.print(
            f"{shards - look.of + look.done:,} of {shards:,} shards, {look.texts:,} texts, {look.speed:,.0f} a second"
        )
