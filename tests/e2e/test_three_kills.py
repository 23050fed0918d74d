"""One run, killed in three nodes and started again each time. test_kill.py kills it in every node, and at random."""

import pytest

from tests.e2e.test_kill import began, logs

NODES = ("Transform", "Trainer", "Pusher")


def killed(teller):
    """The results of the killed runs by node, and of the run that nothing stopped."""
    data, work, program = teller.corpus("data", train=150), teller.folder / "work", teller.program
    results = {"work": work}
    for node in NODES:
        earlier = set(logs(work))
        with program.started(data, work) as process:
            assert process.wait_for(
                lambda node=node, earlier=earlier: began(node, work, earlier)
            ), process.result()
            process.kill()
            results[node] = process.result()
    results["last"] = program.run(data, work)
    results["verified"] = program.command("runs", "verify", "--workdir", work)
    return results


STORIES = {"killed": killed}


@pytest.fixture
def results(told):
    return told("killed")


@pytest.mark.parametrize("node", NODES)
def test_a_killed_run_publishes_nothing(results, node):
    assert (results[node].code, results[node].versions) == (-9, ())


def test_the_run_after_the_kills_publishes_one_model(results):
    assert results["last"].code == 0, results["last"].err
    assert len(results["last"].versions) == 1


def test_metadata_and_files_agree_after_the_kills(results):
    assert results["verified"].code == 0, results["verified"].out
