"""Fixtures of the tests of the run history."""

import socket

import pytest

from tests.unit.history.past import Past


@pytest.fixture
def past(tmp_path):
    return Past(tmp_path)


@pytest.fixture
def this_host():
    return socket.gethostname()
