"""Errors in the settings of a Beam runner are reported before anything runs on it."""

import socket
from contextlib import contextmanager

import pytest

from components.errors import UserError
from pipeline.config import Beam


@contextmanager
def _silent_server():
    """The address of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def _closed_address() -> str:
    with _silent_server() as address:
        return address


def _error_of(**settings) -> str:
    from pipeline.engines import pipeline_options

    with pytest.raises(UserError) as refused:
        pipeline_options(Beam(**settings))
    return str(refused.value)


@pytest.mark.parametrize("option", ["flink_master", "job_endpoint"])
def test_an_address_without_a_server_is_reported(option):
    address = _closed_address()
    assert f"nothing answers at --{option}={address} (Connection refused)" in _error_of(
        runner="flink", options=(f"--{option}={address}",)
    )


@pytest.mark.parametrize("address", ["host:many", "://", "127.0.0.1:99999"])
def test_an_invalid_address_is_reported(address):
    assert f"nothing answers at --flink_master={address}" in _error_of(
        runner="flink", options=(f"--flink_master={address}", "--job_endpoint=embed")
    )


def test_a_server_that_is_not_a_job_server_is_reported(monkeypatch):
    monkeypatch.setattr("pipeline.engines._TIMEOUT", 1)
    with _silent_server() as address:
        assert (
            f"--job_endpoint={address} is not a Beam job server (DEADLINE_EXCEEDED)"
            in _error_of(runner="portable", options=(f"--job_endpoint={address}",))
        )


def test_an_unknown_beam_option_is_refused_for_flink(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")  # with or without Java
    assert "--paralelism is not an option of Beam" in _error_of(
        runner="flink", options=("--paralelism=2", "--job_endpoint=embed")
    )


def test_starting_a_job_server_needs_java(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "flink needs a job server: found no java to start one with" in _error_of(runner="flink")


def test_a_missing_setup_file_is_reported():
    assert "--setup_file=./stup.py: no such file" in _error_of(options=("--setup_file=./stup.py",))
