"""Errors of the client. A caller can tell by the class what to do about each."""


class SettingsError(ValueError):
    """An argument of a client is wrong. The message names the argument and what was expected."""


class ServerError(Exception):
    """A server did not answer a request as it should.

    Attributes:
      server: the server's address.
      message: what went wrong, in the server's words where it gave any.
    """

    def __init__(self, server: str, message: str):
        super().__init__(server, message)
        self.server, self.message = server, message

    def __str__(self) -> str:
        return f"{self.server}: {self.message}"

    @property
    def said(self) -> str:
        """The old name of `message`."""
        return self.message


class Unavailable(ServerError):
    """The server cannot be reached, or cannot answer now. Retried before it is raised."""


class Overloaded(Unavailable):
    """The server refuses the request because it has too many others. Retried before it is raised."""


class DeadlineExceeded(ServerError):
    """The server did not answer within the timeout."""


class NotFound(ServerError):
    """The server has no model or version of this name."""


class BadRequest(ServerError):
    """The server refuses the request: the texts or the model are not as it expects."""


class ResourceExhausted(ServerError):
    """A request or a response is larger than the server or the client allows."""


class NotAllowed(ServerError):
    """The server, or a proxy before it, expects other credentials."""


class BadAnswer(ServerError):
    """The response is not one of a model that tfx-ner published."""


def unreachable(server: str, reason: str) -> Unavailable:
    """The error for a server to which no connection can be opened."""
    return Unavailable(
        server,
        f"cannot be reached ({reason}); expected a running server here: tfx-ner serve starts one",
    )


def timed_out(server: str, seconds: float) -> DeadlineExceeded:
    """The error for a response that did not arrive within `seconds`."""
    return DeadlineExceeded(server, f"no answer within {seconds:.3g} seconds")


def resource_exhausted(server: str, message: str) -> ServerError:
    """The error for gRPC's RESOURCE_EXHAUSTED and HTTP 429: too large a message, or too many."""
    too_large = any(words in message for words in _SIZE_WORDS)
    return (ResourceExhausted if too_large else Overloaded)(server, message)


# What gRPC and TensorFlow write where a smaller batch would help, and waiting would not.
_SIZE_WORDS = ("larger than max", "exceeds max", "OOM when allocating")
