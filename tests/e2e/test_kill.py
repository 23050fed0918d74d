"""A run that is killed is simply started again; two runs in one workdir don't meet."""

import json
import sqlite3
import time

import pytest

pytestmark = pytest.mark.e2e

NODES = (
    "CorpusExampleGen",
    "StatisticsGen",
    "DataBefore",
    "Contract",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "ModelBefore",
    "Evaluator",
    "Pusher",
)
LONG = ("CorpusExampleGen", "StatisticsGen", "Transform", "Evaluator")  # seconds: killed in their midst
TRAINING = ("--set", "training.epochs=6")


def killed(teller):
    """The same run, killed in each node in turn, and at last let through; each try's result by the node."""
    data, work, program = teller.corpus("data", train=150), teller.folder / "work", teller.program
    kept = {"work": work}
    for node in NODES:
        earlier = set(logs(work))
        with program.started(data, work, *TRAINING) as process:
            assert process.wait_for(lambda node=node, earlier=earlier: began(node, work, earlier)), process.result()
            if node == NODES[0]:
                kept["beside"] = program.run(data, work, *TRAINING)
                kept["holder"] = process.id
            if node == "Trainer":
                process.wait_for(lambda: "epoch   2/6" in process.out)
            elif node in LONG:
                time.sleep(1)
            process.kill()
            kept[node] = process.result()
    kept["last"] = program.run(data, work, *TRAINING)
    kept["after"] = program.run(data, work, *TRAINING)
    return kept


STORIES = {"killed": killed}


def logs(work):
    return (work / "runs").glob("*/log.txt")


def began(node, work, earlier):
    """Whether a run that is none of the earlier ones has begun with the node."""
    return any(f"node_started {{'node': '{node}'" in log.read_text(errors="replace") for log in {*logs(work)} - earlier)


@pytest.fixture
def kept(told):
    return told("killed")


@pytest.mark.parametrize("node", NODES[:-1])
def test_a_run_killed_in_a_node_picks_up_there(kept, node):
    """What had finished comes from the cache, what had not runs. Nodes that need nothing of each other take turns."""
    place = NODES.index(node)
    assert kept[node].code == -9
    finished = {one for earlier in NODES[: place + 1] for one in kept[earlier].nodes}
    following = kept[NODES[place + 1]].nodes
    states = {one: state for one, (state, _) in following.items() if not one.endswith("Before")}
    assert states == {one: "cached" if one in finished else "ran" for one in states}
    assert states or node == NODES[0]


def test_it_says_that_the_node_did_not_finish_the_last_time(kept):
    for killed_in, following in (("Transform", "Trainer"), ("Evaluator", "Pusher")):
        assert kept[following].nodes[killed_in] == ("ran", "it did not finish the last time")


def test_training_goes_on_from_its_checkpoint(kept):
    assert kept["Trainer"].epochs[:2] == [1, 2]
    resumed = kept["ModelBefore"].epochs
    assert resumed[0] > 1 and resumed == list(range(resumed[0], 7))


def test_in_the_end_the_one_model_is_published(kept):
    assert (kept["last"].code, kept["last"].err) == (0, "")
    assert len(kept["last"].versions) == 1 and kept["last"].versions[0].isdigit()


def test_until_then_none_was(kept):
    assert {kept[node].versions for node in NODES[:-1]} == {()}


def test_after_it_everything_is_cached(kept):
    assert kept["after"].code == 0 and kept["after"].ran == []
    assert kept["after"].versions == kept["last"].versions


def test_nothing_half_made_passes_for_a_result(kept):
    work = kept["work"]
    assert not list((work / "serving").rglob("*partial*"))
    assert not list((work / "checkpoints").iterdir())
    with sqlite3.connect(work / "metadata.sqlite") as store:  # artifacts in state 2 are live
        live = [uri for (uri,) in store.execute("SELECT uri FROM Artifact WHERE state = 2")]
    assert live and not [uri for uri in live if not any(work.glob(uri.removeprefix(f"{work}/")))]


def test_runs_without_an_outcome_are_those_that_were_killed(kept):
    with_outcome = [run for run in kept["after"].runs if (run / "outcome.json").exists()]
    assert kept["after"].runs[-2:] == tuple(with_outcome)[-2:]
    assert json.loads((with_outcome[-1] / "outcome.json").read_text())["published"].endswith(kept["last"].versions[0])


def test_a_second_run_beside_the_first_ends_at_once_and_says_who_is_at_work(kept):
    beside = kept["beside"]
    assert beside.code == 2 and beside.seconds < 10
    assert beside.err == (
        f"tfx-ner: {kept['work']}: process {kept['holder']} is at work here; wait until it ends, or give"
        " another --workdir\n"
    )


def test_after_a_kill_of_its_holder_the_workdir_is_free(kept):
    assert kept["StatisticsGen"].nodes["CorpusExampleGen"] == ("ran", "it did not finish the last time")
