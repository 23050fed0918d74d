"""Consistency of ML Metadata and the files: verify, clean-up by the next run, and pruning."""

import os
import re
import shutil
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components.publishing import changes
from components.settings import Keep
from pipeline.history import artifacts, cleanup, runs
from pipeline.history.verify import verify

STATES = pb.Artifact


def faults(history):
    return [fault.what for fault in verify(history.store, history.workdir).faults]


def states(history):
    return {
        artifact.id: artifact.state for artifact in history.store.get_artifacts_by_type("Model")
    }


@pytest.fixture
def live(history):
    return history.workdir.serving


def test_verify_finds_no_faults_after_finished_runs(history):
    history.add_run()
    history.add_run()
    report = verify(history.store, history.workdir)
    assert report.faults == () and (report.artifacts, report.runs, report.versions) == (4, 2, 2)


def newest(folder):
    return max(
        (path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name)
    )


def unknown_folder(work, name="77"):
    folder = work.artifacts / "Trainer" / "model" / name
    folder.mkdir(parents=True)
    (folder / "weights").write_text("of somebody")
    return folder


SPOILT = {
    "folder of Model .* is missing": lambda work: shutil.rmtree(
        newest(work.artifacts / "Trainer" / "model")
    ),
    "Model .* is incomplete: Format-Serving/saved_model.pb missing": lambda work: (
        newest(work.artifacts / "Trainer" / "model") / "Format-Serving" / "saved_model.pb"
    ).unlink(),
    "unknown, ML Metadata has no artifact there": lambda work: unknown_folder(work),
    "its removal was killed": lambda work: (
        work.artifacts / "Trainer" / "model" / ".removed-5"
    ).mkdir(),
    "is incomplete: variables/variables.index missing": lambda work: (
        newest(work.serving) / "variables" / "variables.index"
    ).unlink(),
    "no run published it": lambda work: shutil.copytree(newest(work.serving), work.serving / "5"),
    "version published last is missing": lambda work: shutil.rmtree(newest(work.serving)),
    "an unfinished copy": lambda work: (work.serving / ".partial-9").mkdir(),
    "ner-canary: has no copy of version .*, which serves": lambda work: (
        work.versions.canary.mkdir()
    ),
    "names the model nothing, which has no version": lambda work: (
        work.serving.parent / "models.config"
    ).write_text('config { name: "nothing"\n base_path: "/nowhere" }'),
    "rollback from 1 to 0 was killed": lambda work: changes.save_hold(
        work.withdrawn, changes.Hold(1, 0, "now", "me", "")
    ),
    "folder of a run is missing": lambda work: shutil.rmtree(next(work.runs.iterdir())),
    "outcome.json is missing": lambda work: next(work.runs.glob("*/outcome.json")).unlink(),
    "ML Metadata has no such run": lambda work: (work.runs / "20250101-000000-000000").mkdir(),
    "process 4 was killed": lambda work: (work.root / ".lock.holder").write_text("process 4"),
}


@pytest.mark.parametrize("message", SPOILT)
def test_verify_names_each_kind_of_fault(history, message):
    history.add_run()
    SPOILT[message](history.workdir)
    report = verify(history.store, history.workdir)
    assert len(report.faults) == 1
    assert re.search(message, report.faults[0].what), report.faults[0].what
    assert report.faults[0].advice


def test_the_remains_of_a_kill_are_faults_until_the_next_run_removes_them(history):
    history.add_run()
    history.add_unfinished_run()
    (history.workdir.serving / ".partial-7").mkdir()
    (history.workdir.artifacts / "Trainer" / "model" / ".removed-3").mkdir()
    (history.workdir.runs / "20260102-000000-000000").mkdir()
    assert len(faults(history)) == 5
    cleanup.clean_up(history.store, history.workdir)
    assert faults(history) == []
    assert [run.state for run in runs.load_runs(history.store, history.workdir)] == [
        "published",
        "did not finish",
    ]


def test_cleaning_up_does_not_change_complete_files(history):
    history.add_run()
    before = sorted(path for path in history.workdir.root.rglob("*") if "sqlite" not in path.name)
    cleanup.clean_up(history.store, history.workdir)
    assert (
        sorted(path for path in history.workdir.root.rglob("*") if "sqlite" not in path.name)
        == before
    )


def test_pruning_removes_the_artifacts_of_old_runs_only(history):
    old = history.add_run(publish=False, verdict="refused")
    new = history.add_run()
    removed = cleanup.prune(history.store, history.workdir, keep=1)
    assert removed.artifacts == (old.uri,) and removed.bytes > 0
    assert not Path(old.uri).exists() and Path(new.uri).is_dir()
    assert states(history) == {old.id: STATES.DELETED, new.id: STATES.LIVE}
    assert faults(history) == []


def test_pruning_keeps_artifacts_that_a_kept_run_took_from_the_cache(history):
    old = history.add_run(publish=False, verdict="refused")
    history.add_run(cached=old, publish=False, verdict="refused")
    assert cleanup.prune(history.store, history.workdir, keep=1).artifacts == ()


def test_partial_runs_do_not_count_as_runs_to_keep(history):
    old, kept = (history.add_run(publish=False, verdict="refused") for _ in range(2))
    early = [
        history.add_run(publish=False, verdict="up to Trainer", until="Trainer") for _ in range(2)
    ]
    assert cleanup.prune(history.store, history.workdir, keep=1).artifacts == (old.uri,)
    assert all(Path(one.uri).is_dir() for one in (kept, *early))
    assert len(cleanup.prune(history.store, history.workdir, keep=0).artifacts) == 3


def test_pruning_keeps_the_artifacts_of_published_versions(history):
    served = history.add_run()
    for _ in range(3):
        history.add_run(publish=False, verdict="refused")
    cleanup.prune(history.store, history.workdir, keep=1)
    assert Path(served.uri).is_dir() and states(history)[served.id] == STATES.LIVE


def paged(history, **facts):
    """Creates a run with a report page and returns the page's folder."""
    history.add_run(**facts)
    run = runs.load_runs(history.store, history.workdir)[-1]
    folder = history.workdir.reports / run.name
    folder.mkdir(parents=True)
    for name in ("index.html", "report.json"):
        (folder / name).write_text(name)
    training = min(one.id for one in runs.load_executions(history.store, run))
    artifacts.record_page(history.store, run.name, training, folder)
    return folder


def test_a_page_is_an_artifact_with_the_output_of_its_node_as_input(history):
    folder = paged(history)
    [page] = history.store.get_artifacts_by_type("ReportPage")
    assert page.uri == str(folder) and page.state == STATES.LIVE
    [made] = [
        one
        for one in history.store.get_events_by_artifact_ids([page.id])
        if one.type == pb.Event.OUTPUT
    ]
    [source] = [
        one
        for one in history.store.get_events_by_execution_ids([made.execution_id])
        if one.type == pb.Event.INPUT
    ]
    [model] = history.store.get_artifacts_by_id([source.artifact_id])
    assert model.type == "Model"
    assert faults(history) == []


@pytest.mark.parametrize(
    "spoil, expected",
    [
        (shutil.rmtree, "the folder of ReportPage .* is missing"),
        (
            lambda page: (page / "index.html").unlink(),
            "ReportPage .* is incomplete: index.html missing",
        ),
    ],
)
def test_verify_names_missing_pages(history, spoil, expected):
    spoil(paged(history))
    [fault] = faults(history)
    assert re.search(expected, fault)


def test_pruning_removes_the_pages_of_old_runs_without_a_version(history):
    made, found, refused, newest = (
        paged(history),
        paged(history, publish=False, verdict="unchanged"),
        paged(history, publish=False, verdict="refused"),
        paged(history),
    )
    cleanup.prune(history.store, history.workdir, keep=1)
    assert [one.is_dir() for one in (made, found, refused, newest)] == [True, False, False, True]
    assert list(history.workdir.reports.iterdir()) and faults(history) == []


def test_the_next_run_finishes_a_killed_removal_of_a_page(history):
    page = paged(history)
    page.with_name(".removed-old").mkdir()
    assert len(faults(history)) == 1
    cleanup.clean_up(history.store, history.workdir)
    assert faults(history) == [] and page.is_dir()


def test_pruning_removes_the_artifacts_of_a_pruned_version(history):
    first = history.add_run()
    for _ in range(3):
        history.add_run()
    changes.prune(history.workdir.versions, 1)
    cleanup.prune(history.store, history.workdir, keep=1)
    assert not Path(first.uri).exists() and faults(history) == []


def test_pruning_removes_a_model_that_was_only_a_baseline(history):
    """A resolver's execution has the baseline model as its output."""
    old = history.add_run()
    new = history.add_run(compared_with=old)
    history.add_run(cached=new, publish=False)
    changes.prune(history.workdir.versions, 1)
    history.workdir.versions.place(history.workdir.versions.all[0]).rename(
        history.workdir.root / "moved-away"
    )
    assert old.uri in cleanup.prune(history.store, history.workdir, keep=1).artifacts


def test_pruning_by_age_keeps_younger_runs(history):
    history.add_run(publish=False, started=4e9)
    history.add_run(publish=False)
    history.add_run(publish=False)
    assert (
        len(cleanup.prune(history.store, history.workdir, keep=1, older_than=86_400).artifacts) == 1
    )


@pytest.mark.parametrize("renames", range(4))
def test_the_next_run_finishes_killed_pruning(history, monkeypatch, renames):
    for _ in range(3):
        history.add_run(publish=False, verdict="refused")
    history.add_run()
    remove, left = artifacts.remove, [renames]

    def killing(folder):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        remove(folder)

    with monkeypatch.context() as patched:
        patched.setattr(artifacts, "remove", killing)
        try:
            cleanup.prune(history.store, history.workdir, keep=1)
        except KeyboardInterrupt:
            assert any("its pruning was killed" in what for what in faults(history))
    cleanup.clean_up(history.store, history.workdir)
    assert faults(history) == [] and list(states(history).values()).count(STATES.DELETED) == 3


def test_the_keep_setting_removes_old_artifacts_after_each_run(history):
    old = history.add_run(publish=False)
    with cleanup.around_run(history.connection, history.workdir, Keep(runs=1)):
        new = history.add_run(publish=False)
    assert not Path(old.uri).exists() and Path(new.uri).is_dir()


def test_by_default_old_artifacts_are_kept(history):
    old = history.add_run(publish=False)
    with cleanup.around_run(history.connection, history.workdir, Keep()):
        history.add_run(publish=False)
    assert Path(old.uri).is_dir()


def test_the_incomplete_artifacts_of_a_failed_run_are_removed(history):
    with pytest.raises(OSError), cleanup.around_run(history.connection, history.workdir, Keep()):
        (history.workdir.artifacts / "Trainer" / "model" / "9").mkdir(parents=True)
        raise OSError("no space left on device")
    assert faults(history) == []


def test_verify_is_refused_during_a_run(history):
    from components.errors import UserError

    with (
        history.workdir.locked(),
        pytest.raises(UserError, match=f"process {os.getpid()} is using the workdir"),
    ):
        verify(history.store, history.workdir)
