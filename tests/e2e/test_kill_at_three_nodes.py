"""A run that is killed in Transform, Trainer or Pusher: started again, it goes on there. The rest is in test_kill.py."""

import pytest

from tests.e2e.kills import kill_in_nodes

NODES = ("Transform", "Trainer", "Pusher")
STORIES = {"killed": lambda teller: kill_in_nodes(teller, NODES)}


@pytest.fixture
def kept(told):
    return told("killed")


def test_the_node_that_was_killed_runs_again_and_those_before_it_do_not(kept):
    following = dict(zip(NODES, (*NODES[1:], "last")))
    for node, later in following.items():
        assert kept[node].code == -9
        assert kept[later].nodes[node] == ("ran", "it did not finish the last time")
    assert kept["Trainer"].nodes["StatisticsGen"][0] == "cached"
    assert kept["Pusher"].nodes["Transform"][0] == "cached"
    assert kept["last"].nodes["Trainer"][0] == "cached"


def test_training_goes_on_from_its_checkpoint(kept):
    assert kept["Trainer"].epochs[:2] == [1, 2]
    resumed = kept["Pusher"].epochs
    assert resumed[0] > 1 and resumed == list(range(resumed[0], 7))


def test_in_the_end_one_model_is_published_and_everything_is_cached(kept):
    assert (kept["last"].code, kept["last"].err) == (0, "")
    assert len(kept["last"].versions) == 1 and kept["last"].versions[0].isdigit()
    assert kept["after"].code == 0 and kept["after"].ran == []
    assert kept["after"].versions == kept["last"].versions


def test_nothing_is_set_aside(kept):
    """ML Metadata proves of everything that a kill leaves whose it was."""
    assert not (kept["work"] / "set-aside").exists()
