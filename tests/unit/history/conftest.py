"""Fixtures of the tests of the run history."""

import socket

import pytest

from tests.unit.history.run_history import RunHistory


@pytest.fixture
def history(tmp_path):
    return RunHistory(tmp_path)


@pytest.fixture
def this_host():
    return socket.gethostname()
