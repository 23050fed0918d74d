"""The training cluster from TF_CONFIG."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from components.training.subprocess_trainer import ClusterTask, parse_tf_config

GOOD = {"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 1}}


def changed(**groups):
    return json.dumps({**GOOD, **groups})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (changed(), ClusterTask(1, 2, "one:2222")),
        (changed(task={"type": "worker", "index": 0}), ClusterTask(0, 2, "one:2222")),
        (
            changed(cluster={"worker": ["[::1]:7"]}, task={"type": "worker", "index": "0"}),
            ClusterTask(0, 1, "[::1]:7"),
        ),
        (
            changed(
                cluster={"chief": ["zero:1"], "worker": ["one:2", "two:3"]},
                task={"type": "worker", "index": 1},
            ),
            ClusterTask(2, 3, "zero:1"),
        ),
        (
            changed(
                cluster={"chief": ["zero:1"], "worker": ["one:2"]},
                task={"type": "chief", "index": 0},
            ),
            ClusterTask(0, 2, "zero:1"),
        ),
    ],
)
def test_tf_config_is_parsed(text, expected):
    assert parse_tf_config(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        "7",
        "{}",
        changed(cluster={}),
        changed(cluster=["one:1"]),
        changed(cluster={"worker": []}),
        changed(cluster={"worker": ["one"]}),
        changed(cluster={"worker": ["one:0", "two:1"]}),
        changed(cluster={"worker": [":80", "two:1"]}),
        changed(cluster={"worker": [1, 2]}),
        changed(cluster={"worker": ["one:1", "two:1"], "ps": ["three:1"]}),
        changed(task={}),
        changed(task={"type": "worker", "index": 2}),
        changed(task={"type": "worker", "index": -1}),
        changed(task={"type": "worker", "index": None}),
        changed(task={"type": "evaluator", "index": 0}),
    ],
)
def test_other_values_are_refused_with_an_example(text):
    with pytest.raises(UserError, match=r"TF_CONFIG.*expected.*cluster.*task"):
        parse_tf_config(text)


@given(st.lists(st.integers(1, 65535), min_size=1), st.booleans())
def test_each_process_has_its_own_rank_and_the_same_chief(ports, with_chief):
    addresses = [f"host:{port}" for port in ports]
    cluster = (
        {"chief": addresses[:1], "worker": addresses[1:]} if with_chief else {"worker": addresses}
    )
    tasks = [
        {"type": kind, "index": index} for kind in cluster for index in range(len(cluster[kind]))
    ]
    tasks_of_cluster = [
        parse_tf_config(json.dumps({"cluster": cluster, "task": task})) for task in tasks
    ]
    assert tasks_of_cluster == [
        ClusterTask(number, len(ports), addresses[0]) for number in range(len(ports))
    ]
    assert tasks_of_cluster[0].port == ports[0] and tasks_of_cluster[0].host == "host"
