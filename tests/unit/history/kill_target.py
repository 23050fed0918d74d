"""The program that a test kills at random moments: a run, a rollback, a promotion and prunings in turn.

python -m tests.unit.history.kill_target FOLDER WEIGHTS
"""

import sys
from pathlib import Path

from components.publishing import changes, versions
from pipeline.history import cleanup
from tests.unit.history.run_history import RunHistory


def main(root: str, weights: str) -> None:
    history = RunHistory(Path(root))
    folders = history.workdir.versions
    with history.workdir.locked():
        print("at work", flush=True)
        cleanup.clean_up(history.store, history.workdir)
        undo(folders)  # by whoever finds a rollback half done
        history.add_run(weights=weights)
        if len(versions.versions(folders.live)) > 1:
            changes.rollback(folders, None, "now", "me", "")
            undo(folders)
        changes.prune(folders, 2)
        cleanup.prune(history.store, history.workdir, 2)


def undo(folders) -> None:
    """Promotes the version that was rolled back, which ends the hold."""
    held = changes.load_hold(folders.withdrawn)
    if held and max(versions.versions(folders.live)) >= held.left:
        changes.rollback(folders, held.kept, "now", "me", "")
    if held:
        changes.promote(folders, held.left)


if __name__ == "__main__":
    main(*sys.argv[1:])
