"""TensorFlow's threads, set before its import."""

import os

import pytest

from components import tf_runtime

WITHIN, SIDE_BY_SIDE = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (WITHIN, SIDE_BY_SIDE):
        monkeypatch.setenv(name, "")  # put back at the end, whatever `limit` does
        monkeypatch.delenv(name)
    return monkeypatch


def tensorflow_settings():
    return os.environ.get(WITHIN), os.environ.get(SIDE_BY_SIDE)


def test_by_default_operations_run_on_one_thread_and_tensorflow_chooses_their_number():
    tf_runtime.limit_threads()
    assert tensorflow_settings() == ("1", None)


def test_threads_is_the_number_of_parallel_operations():
    tf_runtime.limit_threads(3)
    assert tensorflow_settings() == ("1", "3")


def test_the_environment_overrides_the_threads_of_an_operation(environment):
    environment.setenv(WITHIN, "4")
    tf_runtime.limit_threads(2)
    assert tensorflow_settings() == ("4", "2")


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores"
)
def test_available_cores_are_those_of_the_process():
    allowed = os.sched_getaffinity(0)
    assert tf_runtime.available_cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert tf_runtime.available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
