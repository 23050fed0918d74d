"""What is said of an engine before anything runs on it."""

import socket
from contextlib import contextmanager

import pytest

from components.errors import UserError
from pipeline.config import Beam


@contextmanager
def _listening():
    """The address of somebody who listens, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def _closed() -> str:
    with _listening() as address:
        return address


def _said(**settings) -> str:
    from pipeline.engines import pipeline_options

    with pytest.raises(UserError) as refused:
        pipeline_options(Beam(**settings))
    return str(refused.value)


@pytest.mark.parametrize("option", ["flink_master", "job_endpoint"])
def test_a_cluster_that_does_not_answer_is_named(option):
    address = _closed()
    assert f"nothing answers at --{option}={address} (Connection refused)" in _said(
        runner="flink", options=(f"--{option}={address}",)
    )


@pytest.mark.parametrize("address", ["host:many", "://", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_no_traceback(address):
    assert f"nothing answers at --flink_master={address}" in _said(
        runner="flink", options=(f"--flink_master={address}", "--job_endpoint=embed")
    )


def test_a_job_server_that_is_none_is_named(monkeypatch):
    monkeypatch.setattr("pipeline.engines._TIMEOUT", 1)
    with _listening() as address:
        assert f"--job_endpoint={address} is not a Beam job server (DEADLINE_EXCEEDED)" in _said(
            runner="portable", options=(f"--job_endpoint={address}",)
        )


def test_an_option_that_beam_would_pass_over_is_refused_for_flink_too(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")  # with or without Java
    assert "--paralelism is not an option of Beam" in _said(
        runner="flink", options=("--paralelism=2", "--job_endpoint=embed")
    )


def test_a_job_server_to_be_started_needs_java(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "flink needs a job server: found no java to start one with" in _said(runner="flink")


def test_a_setup_file_that_is_not_there_is_named():
    assert "--setup_file=./stup.py: no such file" in _said(options=("--setup_file=./stup.py",))
