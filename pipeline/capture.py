"""A user's screen kept free of what libraries say."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def captured(log: Path, shown_on: int) -> Iterator[IO[str]]:
    """Sends everything that this process and its children print meanwhile, by C++ too, to `log`, what libraries say of their work
    among it, and gives a file that is what the descriptor `shown_on`, 1 or 2, was.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    level = logging.root.level
    logging.root.setLevel(logging.INFO)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        with open(os.dup(kept[shown_on - 1]), "w", encoding="utf-8") as shown:
            yield shown
    finally:
        logging.root.setLevel(level)
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in enumerate(kept, start=1):
            os.dup2(copy, descriptor)
            os.close(copy)
