"""Killed runs that are started again, and two runs in one workdir at the same time."""

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
# These take seconds, so that a kill after one second hits the executor.
LONG = ("StatisticsGen", "Transform", "Evaluator")
TRAINING = ("--set=training.epochs=6", "--set=training.patience=6")  # no early stopping


def kill_in_each_node(context):
    """Kills the same run in each node in turn, then lets it finish; returns each result by node."""
    data, work, program = (
        context.make_corpus("data", train=150),
        context.folder / "work",
        context.program,
    )
    results = {"work": work}
    for node in NODES:
        earlier = set(event_files(work))
        # The first node waits to be killed: it holds the workdir while another run tries to.
        paused = context.folder / "paused"
        hooked = program.with_hooks(TEST_PAUSE_NODE=NODES[0], TEST_PAUSED=str(paused))
        starter = hooked if node == NODES[0] else program
        with starter.start_run(data, work, *TRAINING) as process:
            assert process.wait_for(
                lambda node=node, earlier=earlier: node_started(node, work, earlier)
            ), process.result()
            if node == NODES[0]:
                assert process.wait_for(paused.exists), process.result()
                results["concurrent"] = program.run(data, work, *TRAINING)
                results["holder pid"] = process.pid
            if node == "Trainer":
                process.wait_for(lambda: "epoch   2/6" in process.out)
            elif node in LONG:
                time.sleep(1)
            process.kill()
            results[node] = process.result()
    results["last"] = program.run(data, work, *TRAINING)
    results["after"] = program.run(data, work, *TRAINING)
    return results


def kill_at_random_moments(context):
    """Kills runs with new settings at random moments and repeats them, while a thread checks the published versions.

    The environment variables are `KILLS`, the number of killed runs, and `KILLS_SEED`, the seed of the moments.
    """
    from components.publishing import versions

    rng = random.Random(int(os.environ.get("KILLS_SEED", "1")))
    data, work, program = (
        context.make_corpus("data", train=60, dev=20, test=20),
        context.folder / "work",
        context.program,
    )
    settings = ("--set=training.epochs=1", "--set=gate.tolerance=1", "--set=gate.type_tolerance=1")
    complete = program.run(data, work, *settings)
    results = {"attempts": [], "incomplete versions": set()}
    done, serving = threading.Event(), work / "serving" / "ner"

    def check_versions():
        while not done.wait(0.01):
            results["incomplete versions"] |= {
                version
                for version in versions.versions(serving)
                if versions.missing_parts(serving / str(version))
            }

    checker = threading.Thread(target=check_versions)
    checker.start()
    try:
        for index in range(int(os.environ.get("KILLS", "2"))):
            more = (*settings, f"--set=training.seed={index + 2}")
            earlier_versions, moment = (
                set(versions.versions(serving)),
                rng.uniform(0, complete.seconds),
            )
            with program.start_run(data, work, *more) as process:
                end = time.monotonic() + moment
                process.wait_for(lambda end=end: time.monotonic() > end)
                process.kill()
            repeated = program.run(data, work, *more)
            verified = program.command("runs", "verify", "--workdir", work)
            results["attempts"].append(
                (moment, len({*versions.versions(serving)} - earlier_versions), repeated, verified)
            )
    finally:
        done.set()
        checker.join()
    return results


SCENARIOS = {"each node": kill_in_each_node, "random moments": kill_at_random_moments}


def event_files(work):
    """The event files of all runs."""
    return (work / "runs").glob("*/events.jsonl")


def node_started(node, work, earlier):
    """Whether a run that is not among the earlier ones has started the node."""
    return any(
        event.get("event") == "NodeStarted" and event.get("node") == node
        for event in events_of([file.parent for file in {*event_files(work)} - earlier])
    )


@pytest.fixture
def results(scenario_result):
    return scenario_result("each node")


@pytest.mark.parametrize("node", NODES[:-1])
def test_the_run_after_a_kill_resumes_at_the_killed_node(results, node):
    """Finished nodes come from the cache and the others run. Independent nodes may run in either order."""
    index = NODES.index(node)
    assert results[node].code == -9
    finished = {name for earlier in NODES[: index + 1] for name in results[earlier].nodes}
    following = results[NODES[index + 1]].nodes
    states = {name: state for name, (state, _) in following.items() if name not in RESOLVERS}
    assert states == {name: "cached" if name in finished else "ran" for name in states}
    assert states or node == NODES[0]


def test_the_reason_of_the_repeated_node_is_that_it_did_not_finish(results):
    for killed_in, following in (("Transform", "Trainer"), ("Evaluator", "TypeGate")):
        assert results[following].nodes[killed_in] == ("ran", "it did not finish the last time")


def test_training_resumes_from_its_checkpoint(results):
    assert results["Trainer"].epochs[:2] == [1, 2]
    resumed = results["ServingModelResolver"].epochs
    assert resumed[0] > 1 and resumed == list(range(resumed[0], 7))


def test_the_last_run_publishes_one_model(results):
    assert (results["last"].code, results["last"].err) == (0, "")
    assert len(results["last"].versions) == 1 and results["last"].versions[0].isdigit()


def test_no_killed_run_publishes_a_model(results):
    assert {results[node].versions for node in NODES[:-1]} == {()}


def test_the_run_after_the_last_is_cached(results):
    assert results["after"].code == 0 and results["after"].ran == []
    assert results["after"].versions == results["last"].versions


def test_no_incomplete_artifact_version_or_checkpoint_remains(results):
    work = results["work"]
    assert not list((work / "serving").rglob("*partial*"))
    assert not list((work / "checkpoints").iterdir())
    with sqlite3.connect(work / "metadata.sqlite") as store:  # artifacts in state 2 are live
        live = [uri for (uri,) in store.execute("SELECT uri FROM Artifact WHERE state = 2")]
    assert live and not [uri for uri in live if not any(work.glob(uri.removeprefix(f"{work}/")))]


def test_only_finished_runs_have_an_outcome(results):
    with_outcome = [run for run in results["after"].runs if (run / "outcome.json").exists()]
    assert results["after"].runs[-2:] == tuple(with_outcome)[-2:]
    assert json.loads((with_outcome[-1] / "outcome.json").read_text())["published"].endswith(
        results["last"].versions[0]
    )


def test_a_concurrent_run_does_not_wait_and_names_the_process_that_holds_the_workdir(results):
    concurrent = results["concurrent"]
    assert concurrent.code == 75
    assert concurrent.err == (
        f"tfx-ner: {results['work']}: process {results['holder pid']} is using the workdir; wait until it ends, or give"
        " another --workdir\n"
    )


def test_a_kill_releases_the_workdir(results):
    assert results["StatisticsGen"].nodes["CorpusExampleGen"] == (
        "ran",
        "it did not finish the last time",
    )


@pytest.fixture
def attempts(scenario_result):
    return scenario_result("random moments")["attempts"]


def test_after_a_kill_at_any_moment_the_repeated_run_succeeds(attempts):
    assert attempts and {repeated.code for _, _, repeated, _ in attempts} == {0}, attempts


def test_after_a_kill_at_any_moment_metadata_and_files_agree(attempts):
    assert [(moment, verified.out) for moment, _, _, verified in attempts if verified.code] == []


def test_after_a_kill_at_any_moment_the_repeated_run_leaves_one_new_version(attempts):
    assert [(moment, new) for moment, new, _, _ in attempts if new != 1] == []


def test_only_complete_versions_are_visible_at_any_moment(scenario_result):
    assert scenario_result("random moments")["incomplete versions"] == set()
