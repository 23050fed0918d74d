"""A run that is killed is simply started again; two runs in one workdir don't meet."""

import json
import os
import random
import sqlite3
import threading
import time

import pytest

from pipeline.nodes import RESOLVERS
from tests.e2e.program import events_of

pytestmark = pytest.mark.slow

NODES = (
    "CorpusExampleGen",
    "StatisticsGen",
    "LatestAcceptedStatistics",
    "CuratedSchema",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "ServingModelResolver",
    "Evaluator",
    "TypeGate",
    "Pusher",
)
LONG = (
    "CorpusExampleGen",
    "StatisticsGen",
    "Transform",
    "Evaluator",
)  # seconds: killed in their midst
TRAINING = (
    "--set",
    "training.epochs=6",
    "--set",
    "training.patience=6",
)  # all six, however soon dev is content


def killed(context):
    """The same run, killed in each node in turn, and at last let through; each try's result by the node."""
    data, work, program = (
        context.make_corpus("data", train=150),
        context.folder / "work",
        context.program,
    )
    results = {"work": work}
    for node in NODES:
        earlier = set(logs(work))
        with program.start_run(data, work, *TRAINING) as process:
            assert process.wait_for(
                lambda node=node, earlier=earlier: began(node, work, earlier)
            ), process.result()
            if node == NODES[0]:
                results["beside"] = program.run(data, work, *TRAINING)
                results["holder"] = process.id
            if node == "Trainer":
                process.wait_for(lambda: "epoch   2/6" in process.out)
            elif node in LONG:
                time.sleep(1)
            process.kill()
            results[node] = process.result()
    results["last"] = program.run(data, work, *TRAINING)
    results["after"] = program.run(data, work, *TRAINING)
    return results


def at_random(context):
    """Runs with ever new settings, each killed at a random moment and then started again; somebody looks for versions meanwhile.

    `KILLS` in the environment says how many, `KILLS_SEED` at which moments.
    """
    from components.publishing import versions

    chance = random.Random(int(os.environ.get("KILLS_SEED", "1")))
    data, work, program = (
        context.make_corpus("data", train=60, dev=20, test=20),
        context.folder / "work",
        context.program,
    )
    settings = ("--set=training.epochs=1", "--set=gate.tolerance=1", "--set=gate.type_tolerance=1")
    whole = program.run(data, work, *settings)
    results = {"whole": whole, "tries": [], "broken": set()}
    done, serving = threading.Event(), work / "serving" / "ner"

    def look():
        while not done.wait(0.01):
            results["broken"] |= {
                number
                for number in versions.versions(serving)
                if versions.missing_parts(serving / str(number))
            }

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for number in range(int(os.environ.get("KILLS", "2"))):
            more = (*settings, f"--set=training.seed={number + 2}")
            before, moment = set(versions.versions(serving)), chance.uniform(0, whole.seconds)
            with program.start_run(data, work, *more) as process:
                end = time.monotonic() + moment
                process.wait_for(lambda end=end: time.monotonic() > end)
                process.kill()
            again = program.run(data, work, *more)
            verified = program.command("runs", "verify", "--workdir", work)
            results["tries"].append(
                (moment, len({*versions.versions(serving)} - before), again, verified)
            )
    finally:
        done.set()
        looking.join()
    return results


SCENARIOS = {"killed": killed, "at random": at_random}


def logs(work):
    """The files of events of all runs."""
    return (work / "runs").glob("*/events.jsonl")


def began(node, work, earlier):
    """Whether a run that is none of the earlier ones has start_scenarios with the node."""
    return any(
        event.get("event") == "NodeStarted" and event.get("node") == node
        for event in events_of([file.parent for file in {*logs(work)} - earlier])
    )


@pytest.fixture
def results(scenario_result):
    return scenario_result("killed")


@pytest.mark.parametrize("node", NODES[:-1])
def test_a_run_killed_in_a_node_picks_up_there(results, node):
    """What had finished comes from the cache, what had not runs. Nodes that need nothing of each other take turns."""
    place = NODES.index(node)
    assert results[node].code == -9
    finished = {one for earlier in NODES[: place + 1] for one in results[earlier].nodes}
    following = results[NODES[place + 1]].nodes
    states = {one: state for one, (state, _) in following.items() if one not in RESOLVERS}
    assert states == {one: "cached" if one in finished else "ran" for one in states}
    assert states or node == NODES[0]


def test_it_says_that_the_node_did_not_finish_the_last_time(results):
    for killed_in, following in (("Transform", "Trainer"), ("Evaluator", "TypeGate")):
        assert results[following].nodes[killed_in] == ("ran", "it did not finish the last time")


def test_training_goes_on_from_its_checkpoint(results):
    assert results["Trainer"].epochs[:2] == [1, 2]
    resumed = results["ServingModelResolver"].epochs
    assert resumed[0] > 1 and resumed == list(range(resumed[0], 7))


def test_in_the_end_the_one_model_is_published(results):
    assert (results["last"].code, results["last"].err) == (0, "")
    assert len(results["last"].versions) == 1 and results["last"].versions[0].isdigit()


def test_until_then_none_was(results):
    assert {results[node].versions for node in NODES[:-1]} == {()}


def test_after_it_everything_is_cached(results):
    assert results["after"].code == 0 and results["after"].ran == []
    assert results["after"].versions == results["last"].versions


def test_nothing_half_made_passes_for_a_result(results):
    work = results["work"]
    assert not list((work / "serving").rglob("*partial*"))
    assert not list((work / "checkpoints").iterdir())
    with sqlite3.connect(work / "metadata.sqlite") as store:  # artifacts in state 2 are live
        live = [uri for (uri,) in store.execute("SELECT uri FROM Artifact WHERE state = 2")]
    assert live and not [uri for uri in live if not any(work.glob(uri.removeprefix(f"{work}/")))]


def test_runs_without_an_outcome_are_those_that_were_killed(results):
    with_outcome = [run for run in results["after"].runs if (run / "outcome.json").exists()]
    assert results["after"].runs[-2:] == tuple(with_outcome)[-2:]
    assert json.loads((with_outcome[-1] / "outcome.json").read_text())["published"].endswith(
        results["last"].versions[0]
    )


def test_a_second_run_beside_the_first_ends_at_once_and_says_who_is_at_work(results):
    beside = results["beside"]
    assert beside.code == 75 and beside.seconds < 10
    assert beside.err == (
        f"tfx-ner: {results['work']}: process {results['holder']} is using the workdir; wait until it ends, or give"
        " another --workdir\n"
    )


def test_after_a_kill_of_its_holder_the_workdir_is_free(results):
    assert results["StatisticsGen"].nodes["CorpusExampleGen"] == (
        "ran",
        "it did not finish the last time",
    )


@pytest.fixture
def tries(scenario_result):
    return scenario_result("at random")["tries"]


def test_after_a_kill_at_any_moment_the_run_that_is_started_again_ends_well(tries):
    assert tries and {again.code for _, _, again, _ in tries} == {0}, tries


def test_after_a_kill_at_any_moment_metadata_and_files_agree(tries):
    assert [(moment, verified.out) for moment, _, _, verified in tries if verified.code] == []


def test_after_a_kill_at_any_moment_there_is_one_version_more(tries):
    assert [(moment, new) for moment, new, _, _ in tries if new != 1] == []


def test_whoever_looks_meanwhile_sees_whole_versions_only(scenario_result):
    assert scenario_result("at random")["broken"] == set()
