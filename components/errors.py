"""The exception for errors that the user can fix, and warnings to the user."""

import sys

_shown: set[str] = set()


class UserError(Exception):
    """Bad input or usage. The message is shown as it is: what is wrong, where, what was expected, and the remedy."""


def warn(message: str) -> None:
    """Prints one line `tfx-ner: warning: MESSAGE` on standard error, once a process for the same message."""
    if message not in _shown:
        _shown.add(message)
        print(f"tfx-ner: warning: {message}", file=sys.stderr)
