"""The exceptions for errors that the user can fix, and what to show of other errors."""

import sys

_JAVA_CAUSE = "Caused by: "
_shown: set[str] = set()


class UserError(Exception):
    """Bad input or usage. The message is shown as it is: what is wrong, where, what was expected, and the remedy."""


class BusyError(UserError):
    """Another run holds the workdir. Exit code 75, so that a scheduler can tell it from bad input and try again."""


def warn(message: str) -> None:
    """Prints one line `tfx-ner: warning: MESSAGE` on standard error, once a process for the same message."""
    if message not in _shown:
        _shown.add(message)
        print(f"tfx-ner: warning: {message}", file=sys.stderr)


def find_user_error(error: BaseException | None) -> str | None:
    """The message of the UserError that caused an exception, None if there is none.

    Beam raises errors of its workers again as text: a traceback, and the place in its graph after the message.
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
    """The line of an exception's text that says what went wrong: the last one.

    Beam puts a worker's traceback before it. In a Java trace, as from Flink, it is the last cause.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix(_JAVA_CAUSE) for line in lines if line.startswith(_JAVA_CAUSE)]
    return (causes or lines or [type(error).__name__])[-1]
