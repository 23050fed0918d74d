"""Runs killed in Transform, Trainer and Pusher, each resumed by the next run. test_kill.py kills the other nodes."""

import pytest

NODES = ("Transform", "Trainer", "Pusher")
TRAINING = ("--set=training.epochs=6", "--set=training.patience=6")  # no early stopping


def kill_in_nodes(context):
    """Kills the same run in each node in turn, then lets it finish.

    A node is killed after its executor has ended and before ML Metadata records it; training is
    killed in its third epoch.

    Returns:
      Each killed run's result by node, and the results of the two runs after them as "last" and "after".
    """
    data, work, program = (
        context.make_corpus("data", train=150),
        context.folder / "work",
        context.program,
    )
    results = {"work": work}
    for node in NODES:
        paused = context.folder / f"paused-{node}"
        hooked = program.with_hooks(TEST_PAUSE_NODE=node, TEST_PAUSED=str(paused))
        starter = program if node == "Trainer" else hooked
        with starter.start_run(data, work, *TRAINING) as process:
            if node == "Trainer":
                reached = process.wait_for(lambda process=process: "epoch   2/6" in process.out)
            else:
                reached = process.wait_for(paused.exists)
            assert reached, process.result()
            process.kill()
            results[node] = process.result()
    results["last"] = program.run(data, work, *TRAINING)
    results["after"] = program.run(data, work, *TRAINING)
    return results


SCENARIOS = {"killed": kill_in_nodes}


@pytest.fixture
def results(scenario_result):
    return scenario_result("killed")


def test_a_killed_node_runs_again_and_the_nodes_before_it_come_from_the_cache(results):
    following = dict(zip(NODES, (*NODES[1:], "last")))
    for node, later in following.items():
        assert results[node].code == -9
        assert results[later].nodes[node] == ("ran", "it did not finish the last time")
    assert results["Trainer"].nodes["StatisticsGen"][0] == "cached"
    assert results["Pusher"].nodes["Transform"][0] == "cached"
    assert results["last"].nodes["Trainer"][0] == "cached"


def test_training_resumes_from_its_checkpoint(results):
    assert results["Trainer"].epochs[:2] == [1, 2]
    resumed = results["Pusher"].epochs
    assert resumed[0] > 1 and resumed == list(range(resumed[0], 7))


def test_the_last_run_publishes_one_model_and_the_run_after_it_is_cached(results):
    assert (results["last"].code, results["last"].err) == (0, "")
    assert len(results["last"].versions) == 1 and results["last"].versions[0].isdigit()
    assert results["after"].code == 0 and results["after"].ran == []
    assert results["after"].versions == results["last"].versions


def test_no_folder_is_set_aside(results):
    """ML Metadata identifies the owner of everything that a killed run leaves."""
    assert not (results["work"] / "set-aside").exists()
