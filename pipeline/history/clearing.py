"""Clears away around a run: what a kill has left before it, what nobody needs any more after it."""

import contextlib
import sys
from collections.abc import Iterator

from pipeline import metadata_store
from pipeline.history import prune, tidy
from pipeline.workdir import Workdir


@contextlib.contextmanager
def around(connection, workdir: Workdir, keep_runs: int = 0, keep_days: int = 0) -> Iterator[None]:
    """Tidies up before and after; with `keep_runs` old artifacts are pruned after. Whoever calls this holds the work folder.

    Raises StoreError or UserError where ML Metadata cannot be opened before the run; what goes wrong after it is only told.
    """
    tidy.tidy(metadata_store.opened(connection), workdir)
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong first is what the user has to know
            tidy.tidy(metadata_store.opened(connection), workdir)
        raise
    try:
        handle = metadata_store.opened(connection)
        tidy.tidy(handle, workdir)
        if keep_runs:
            prune.prune(handle, workdir, keep_runs, keep_days * 86_400)
    except Exception as error:  # whatever it is, the run has ended as it has
        print(
            f"tfx-ner: cannot clear old artifacts away ({' '.join(str(error).split())})",
            file=sys.stderr,
        )
