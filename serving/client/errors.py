"""What can go wrong between a client and a server: one family, told by what a caller can do about it."""


class ServerError(Exception):
    """A server did not give what it was asked for. The message says which server, and what it said.

    `server` is its address as it was given, `said` the rest of the message.
    """

    def __init__(self, server: str, said: str):
        super().__init__(server, said)
        self.server, self.said = server, said

    def __str__(self) -> str:
        return f"{self.server}: {self.said}"


class Unavailable(ServerError):
    """Nobody answers there, or the server says that it cannot answer now. Retried before it is raised."""


class DeadlineExceeded(ServerError):
    """No answer within the time that was given."""


class NotFound(ServerError):
    """The server knows no such model or version."""


class BadRequest(ServerError):
    """The server refuses the request: what was sent, or the model that it was sent to, is not as expected."""


class ResourceExhausted(ServerError):
    """A request or an answer is larger, or there are more of them, than the server or the client allows."""


class NotAllowed(ServerError):
    """The server, or a proxy before it, wants other credentials."""


class BadAnswer(ServerError):
    """The answer is not what a model of tfx-ner gives through TensorFlow Serving."""


def unreachable(server: str, reason: str) -> Unavailable:
    """Nobody listens there."""
    return Unavailable(
        server,
        f"cannot be reached ({reason}); expected a running server here: tfx-ner serve starts one",
    )


def late(server: str, seconds: float) -> DeadlineExceeded:
    """The client has waited long enough."""
    return DeadlineExceeded(server, f"no answer within {seconds:.3g} seconds")


def bad_answer(server: str, error: Exception) -> BadAnswer:
    """An answer that was understood by its transport and not by its reader."""
    found = f"{type(error).__name__}: {error}".rstrip(": ")
    return BadAnswer(
        server,
        f"found an answer of another form ({found}); expected a model that tfx-ner published",
    )
