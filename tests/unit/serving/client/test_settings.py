"""Addresses of servers, and the settings of a client."""

import pytest

from serving.client import Client, SettingsError
from serving.client.protocol import parse_address


@pytest.mark.parametrize(
    ("url", "shown", "over_grpc", "encrypted", "loopback"),
    [
        ("http://localhost:8501", "http://localhost:8501", False, False, True),
        ("http://localhost:8501/", "http://localhost:8501", False, False, True),
        ("HTTP://Example.org/ner/", "http://example.org:80/ner", False, False, False),
        ("https://example.org", "https://example.org:443", False, True, False),
        ("grpc://127.0.0.1", "grpc://127.0.0.1:8500", True, False, True),
        ("grpcs://[::1]:9000", "grpcs://[::1]:9000", True, True, True),
        ("grpc://[2001:db8::7]:1", "grpc://[2001:db8::7]:1", True, False, False),
    ],
)
def test_an_address_is_parsed(url, shown, over_grpc, encrypted, loopback):
    address = parse_address(url)
    assert (str(address), address.is_grpc, address.is_encrypted, address.is_loopback) == (
        shown,
        over_grpc,
        encrypted,
        loopback,
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "not an address of a server; expected http://HOST:8501"),
        ("localhost:8501", "not an address of a server"),
        ("localhost", "not an address of a server"),
        ("ftp://localhost", "not an address of a server"),
        ("http://", "not an address of a server"),
        ("http://a:b", "not an address of a server"),
        ("http://a:99999", "not an address of a server"),
        ("http://[::1", "not an address of a server"),
        ("http://localhost/?a=b", "more than host and port"),
        ("grpc://localhost:8500/ner", "more than host and port"),
        ("http://localhost:8501/v1", "up to /v1"),
        ("http://localhost:8501/v1/models/ner:predict", "up to /v1"),
    ],
)
def test_a_wrong_address_is_refused(url, message):
    with pytest.raises(SettingsError, match=message) as raised:
        parse_address(url)
    assert url in str(raised.value)


def test_credentials_in_an_address_are_refused_and_not_repeated():
    with pytest.raises(SettingsError, match="credentials") as raised:
        parse_address("http://ada:secret@localhost:8501")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout: found 0"),
        ({"timeout": float("nan")}, "timeout: found nan"),
        ({"retries": -1}, "retries: found -1"),
        ({"concurrency": 0}, "concurrency: found 0"),
        ({"batch_texts": 0}, "batch_texts: found 0"),
        ({"version": 1, "label": "stable"}, "both a version and a label"),
        ({"model": ""}, "empty model name"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(SettingsError, match=message):
        Client("http://localhost:8501", **options)
