"""Exceptions for errors that the user can fix, and the messages of other exceptions."""

import sys

_JAVA_CAUSE = "Caused by: "
_shown: set[str] = set()


class UserError(Exception):
    """Bad input or usage. The message says what is wrong, where, expected and the remedy."""


class BusyError(UserError):
    """Another run holds the workdir. Exit code 75, so that a scheduler can try again."""


def warn(message: str) -> None:
    """Prints `tfx-ner: warning: MESSAGE` on standard error, once in a process for each message."""
    if message not in _shown:
        _shown.add(message)
        print(f"tfx-ner: warning: {message}", file=sys.stderr)


def find_user_error(error: BaseException | None) -> str | None:
    """The message of the UserError that caused an exception; None if the cause is another error.

    Beam raises errors of its workers as text: a traceback, the message, and the node of its graph.
    """
    marker = f"{UserError.__name__}: "
    while error is not None:
        text = str(error)
        if not isinstance(error, UserError):
            text = text[text.rindex(marker) + len(marker) :] if marker in text else ""
        if text:
            return text.partition(" [while running")[0].partition("\n")[0].strip()
        error = error.__cause__ or error.__context__
    return None


def last_line(error: BaseException) -> str:
    """The last line of an exception's text, after a worker's traceback.

    Of a Java trace, as from Flink, it is the last cause.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix(_JAVA_CAUSE) for line in lines if line.startswith(_JAVA_CAUSE)]
    return (causes or lines or [type(error).__name__])[-1]
