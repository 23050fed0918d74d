"""The errors of requests: gRPC's status codes, and the HTTP status of each."""

from grpc import StatusCode as Code

_HTTP_STATUSES = {
    Code.OK: 200,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.NOT_FOUND: 404,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}


class RequestError(Exception):
    """A request that fails; the client gets the code and the message."""

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self) -> int:
        """The HTTP status that TensorFlow Serving answers."""
        return _HTTP_STATUSES.get(self.code, 500)


def invalid_argument(message: str) -> RequestError:
    """The error of a request that is wrong whatever the state of the server."""
    return RequestError(Code.INVALID_ARGUMENT, message)


def message_of(error: BaseException) -> str:
    """The message of an error in one line; its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
