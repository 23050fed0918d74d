"""gRPC's codes as HTTP statuses."""

import pytest

from serving.server.status import Code, RequestError


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("OK", 200),
        ("INVALID_ARGUMENT", 400),
        ("FAILED_PRECONDITION", 400),
        ("OUT_OF_RANGE", 400),
        ("NOT_FOUND", 404),
        ("RESOURCE_EXHAUSTED", 429),
        ("UNIMPLEMENTED", 501),
        ("UNAVAILABLE", 503),
        ("DEADLINE_EXCEEDED", 504),
        ("INTERNAL", 500),
        ("UNKNOWN", 500),
        ("DATA_LOSS", 500),
    ],
)
def test_http_statuses_are_tensorflow_servings(code, status):
    assert RequestError(Code[code], "").http_status == status
