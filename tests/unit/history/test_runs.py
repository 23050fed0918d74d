"""The runs of a workdir in ML Metadata and as printed."""

import io
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from components.errors import UserError
from pipeline.history import runs, tables
from pipeline.history.runs import Facts


def shown(show, *arguments, width=80):
    """The lines printed on a terminal of the given width."""
    file = io.StringIO()
    show(Console(file=file, width=width, highlight=False), *arguments)
    return file.getvalue().splitlines()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
facts = st.builds(
    Facts, texts, texts, texts, texts, texts, st.floats(0, 1e10), st.integers(0, 1 << 30), texts, texts, texts,
    packages=st.dictionaries(texts, texts),
    spans=st.lists(st.fixed_dictionaries({"number": st.integers(0), "version": st.integers(0)})),
    seconds=st.none() | st.floats(0, 1e6),
    verdict=texts,
    code=st.none() | st.integers(0, 3),
    reasons=st.lists(texts),
    overall=st.none() | st.dictionaries(texts, st.floats(0, 1), min_size=1),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(facts)
def test_facts_survive_a_round_trip_through_properties(one):
    again = Facts.of(one.run, one.properties())
    assert again.properties() == one.properties() and (again.code, again.overall) == (
        one.code,
        one.overall,
    )


def test_unknown_properties_of_a_later_release_are_ignored():
    properties = {
        "workdir": "w",
        "reason": "b",
        "corpus": "c",
        "data": "d",
        "started": "1",
        "process": "1",
        "host": "h",
    }
    assert (
        Facts.of("r", {**properties, "config_hash": "", "code_hash": "", "mood": "good"}).reason
        == "b"
    )


def test_the_reason_is_read_under_its_old_name():
    facts = Facts("r", "/w", "new data", "c", "/d", 1.0, 1, "h", "", "")
    properties = facts.properties()
    properties["because"] = properties.pop("reason")
    assert Facts.of("r", properties) == facts


def test_runs_are_in_the_order_of_their_start(history):
    for reason in ("first", "second", "third"):
        history.add_run(reason=reason)
    assert [run.facts.reason for run in runs.load_runs(history.store, history.workdir)] == [
        "first",
        "second",
        "third",
    ]


def test_a_run_with_a_live_process_is_running(history, this_host):
    history.add_unfinished_run(process=os.getpid(), host=this_host, started=time.time())
    with history.workdir.locked():
        assert runs.load_runs(history.store, history.workdir)[0].state == "running"


@pytest.mark.parametrize(
    "killed", [{"process": 2**22 + 1}, {"host": "elsewhere"}, {"started": 1.0}]
)
def test_a_run_without_its_process_did_not_finish(history, this_host, killed):
    history.add_unfinished_run(
        **{"process": os.getpid(), "host": this_host, "started": time.time(), **killed}
    )
    with history.workdir.locked():
        assert runs.load_runs(history.store, history.workdir)[0].state == "did not finish"


def test_a_user_error_is_recorded_and_raised_again(history):
    one = history.record()
    with pytest.raises(UserError), runs.recording_errors(one):
        raise UserError("a.conll:3: found x")
    [run] = runs.load_runs(history.store, history.workdir)
    assert (run.state, run.facts.code, run.facts.error) == ("bad input", 2, "a.conll:3: found x")
    assert run.facts.seconds is not None


def test_an_error_other_than_a_user_error_is_a_failure(history):
    one = history.record()
    with pytest.raises(OSError), runs.recording_errors(one):
        raise OSError("no space left on device")
    [run] = runs.load_runs(history.store, history.workdir)
    assert (run.state, run.facts.code) == ("failed", 1)


def test_a_unique_prefix_names_a_run(history):
    history.add_run()
    history.add_run()
    found = runs.load_runs(history.store, history.workdir)
    assert runs.find_run(found, "20260101-000002") == found[1]
    for name, message in (("2026", "2 runs begin with it"), ("1999", "no such run")):
        with pytest.raises(UserError, match=message):
            runs.find_run(found, name)


def test_changed_settings_are_those_since_the_previous_run(history):
    history.add_run()
    history.add_run()
    first, second = runs.load_runs(history.store, history.workdir)
    assert (
        runs.previous_run([first, second], second) == first
        and runs.previous_run([first, second], first) is None
    )
    assert runs.changed_settings(history.workdir, first, second) == {"training.epochs": (1, 2)}
    (history.workdir.runs / first.name / "config.yaml").unlink()
    assert runs.changed_settings(history.workdir, first, second) == {}


def test_the_nodes_of_a_killed_run_are_those_in_ml_metadata(history):
    history.add_unfinished_run()
    [run] = runs.load_runs(history.store, history.workdir)
    [node] = runs.load_nodes(history.store, run)
    assert (node["node"], node["state"], node["cached"]) == ("Trainer", "did not finish", False)


def test_the_table_of_runs_fits_80_columns(history):
    spans = [{"number": number, "version": 0} for number in (1, 2, 3, 5, 7, 9, 11, 13, 15)]
    history.add_run(reason="span 15 is whole and this is a long reason", spans=spans)
    history.add_run(reason="[markup] is no markup", verdict="did not finish")
    lines = shown(tables.show_runs, runs.load_runs(history.store, history.workdir))
    assert all(len(line) <= 80 for line in lines) and len(lines) == 3
    assert (
        "20260101-000001" in lines[1]
        and "0.6000" in lines[1]
        and "published" in lines[1]
        and "…" in lines[1]
    )
    assert "[markup]" in lines[2]


def test_the_details_of_a_run_have_all_its_facts(history):
    history.add_run()
    history.add_run(
        reason="new data", data_hash="abc", packages={"tfx": "1"}, sentences={"train": 1_000}
    )
    first, run = runs.load_runs(history.store, history.workdir)
    changed = runs.changed_settings(history.workdir, first, run)
    printed = "\n".join(
        shown(tables.show_run, run, [], first, changed, history.workdir.runs / run.name)
    )
    for part in (
        "published",
        "new data",
        "toy, /data/toy",
        "train 1,000",
        "abc",
        "tfx 1",
        "training.epochs",
        "1 -> 2",
        "PER",
    ):
        assert part in printed


def test_a_workdir_without_runs_is_reported_in_one_line():
    assert shown(tables.show_runs, []) == ["No runs yet."]
