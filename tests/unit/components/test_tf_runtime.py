"""What TensorFlow is told of threads, before it is imported."""

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


def told():
    return os.environ.get(WITHIN), os.environ.get(SIDE_BY_SIDE)


def test_no_operation_is_split_and_the_cores_are_tensorflows_own_choice():
    tf_runtime.limit_threads()
    assert told() == ("1", None)


def test_a_number_is_how_many_run_side_by_side():
    tf_runtime.limit_threads(3)
    assert told() == ("1", "3")


def test_who_wants_operations_split_has_them_split(environment):
    environment.setenv(WITHIN, "4")
    tf_runtime.limit_threads(2)
    assert told() == ("4", "2")


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores"
)
def test_only_the_cores_that_the_process_may_use_count():
    allowed = os.sched_getaffinity(0)
    assert tf_runtime.available_cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert tf_runtime.available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
