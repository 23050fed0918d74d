"""The texts that a command is given: as arguments, in a file, or on standard input; and how far it has come with them."""

import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Optional, TypeVar

from rich.console import Console

from components.errors import UserError
from pipeline.console import text_bar

_T = TypeVar("_T")
_OFTEN = 0.2  # seconds between looks at the clock's hands


class Texts:
    """Goes once through texts, one a line where they are not arguments. What is not UTF-8 is read as U+FFFD.

    Raises UserError at once if there is no such file. `done` counts bytes, or texts where they are arguments; `size` is
    what it will come to, None where nobody knows.
    """

    def __init__(self, arguments: tuple[str, ...], path: Optional[str]):
        self.done, self.size = 0, None
        self._of_arguments, self._name = bool(arguments), path or "standard input"
        if arguments:
            self.size, self._lines = len(arguments), (os.fsencode(text) for text in arguments)
            return
        try:
            self._lines = open(path, "rb") if path else sys.stdin.buffer  # noqa: SIM115 - read while texts are asked for
            status = os.fstat(self._lines.fileno())
        except OSError as error:
            # Standard input need not be a file; what was read for a test is not.
            if path:
                expected = "expected a text file, one text a line"
                raise UserError(f"{path}: cannot read ({error.strerror}); {expected}") from None
        else:
            self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.done += 1 if self._of_arguments else len(line)
            text = line.decode("utf-8", "replace")
            yield text if self._of_arguments else text.rstrip("\r\n")

    def place(self, number: int) -> str:
        """Where a text was found, numbers from 1."""
        return f"text {number}" if self._of_arguments else f"{self._name}:{number}"


def with_bar(items: Iterable[_T], texts: Texts) -> Iterator[_T]:
    """Passes on what comes of texts, and shows on standard error how far that is.

    Only to people who see nothing else: standard error is a terminal, and what is written goes elsewhere.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from items
        return
    with text_bar(Console(stderr=True)) as bar:
        task = bar.add_task("", total=texts.size, lines=0, speed=0.0)
        started = looked = time.monotonic()
        number = 0

        def look() -> None:
            bar.update(
                task,
                completed=texts.done,
                lines=number,
                speed=number / max(time.monotonic() - started, 1e-9),
            )

        for item in items:
            yield item
            number += 1
            if time.monotonic() - looked > _OFTEN:
                looked = time.monotonic()
                look()
        look()
