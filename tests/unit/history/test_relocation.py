"""Moved and copied workdirs: ML Metadata is updated, also after a kill during the update."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import UserError
from components.publishing import canary
from pipeline import metadata_store
from pipeline.config import Metadata
from pipeline.history import artifacts, cleanup, relocation, runs
from pipeline.history.verify import verify
from pipeline.workdir import Workdir


def opened(root):
    """The workdir at a path, its connection and its ML Metadata."""
    workdir = Workdir(root, "ner")
    connection = metadata_store.connection(Metadata(), workdir)
    return workdir, connection, metadata_store.opened(connection)


def update(root):
    """Updates the paths of the workdir at `root`, and returns what was rewritten."""
    workdir, connection, store = opened(root)
    with workdir.locked():
        return relocation.update_paths(store, workdir, connection)


def everything(store):
    nodes = [*store.get_artifacts(), *store.get_executions(), *store.get_contexts()]
    return "".join(map(str, nodes))


def move(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def restore_from_tar(source, target):
    archive = source.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(source, target.name)
    shutil.rmtree(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(target.parent)


@pytest.fixture
def work(history):
    """A workdir with two runs, one of them in an execution with paths in its properties."""
    history.add_run(data=str(history.workdir.root / "data"))
    history.add_run()
    type_id = history.store.put_execution_type(pb.ExecutionType(name="toy.Pusher"))
    execution = pb.Execution(type_id=type_id, last_known_state=pb.Execution.COMPLETE)
    live = str(history.workdir.serving)
    execution.custom_properties["custom_config"].string_value = json.dumps({"live": live})
    [number] = history.store.put_executions([execution])
    context = history.store.get_contexts()[0].id
    history.store.put_attributions_and_associations(
        [], [pb.Association(execution_id=number, context_id=context)]
    )
    with history.workdir.locked():
        relocation.update_paths(history.store, history.workdir, history.connection)
    return history.workdir.root


PATHS = {
    "a sibling": "elsewhere",
    "below its old path": "work/inside",
    "above its old path": ".",
    "a name that begins with the old one": "work-2",
    "a name with spaces, quotes and letters": "über 'all' things",
}


@pytest.mark.parametrize("carry", [move, shutil.copytree, restore_from_tar])
def test_artifacts_runs_and_properties_follow_the_workdir(work, tmp_path, carry, capsys):
    target = tmp_path / "new" / "place"
    carry(work, target)
    relocated = update(target)
    assert relocated.previous == (str(work),)
    workdir, _, store = opened(target)
    assert str(work) not in everything(store)
    known = artifacts.known(store, workdir)
    assert len(known) == 4 and all(Path(artifact.uri).is_dir() for artifact in known)
    assert [run.facts.workdir for run in runs.load_runs(store, workdir)] == [str(target)] * 2
    assert runs.load_runs(store, workdir)[0].facts.data == str(target / "data")
    assert verify(store, workdir).faults == ()
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and f"{target}: was at {work} before" in output
    assert update(target) is None


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_workdir_can_be_moved_to_any_path(work, tmp_path, path):
    carried = tmp_path / "carried"
    work.rename(carried)
    target = (tmp_path / path).resolve()
    if target == tmp_path:
        target = tmp_path.with_name(f"{tmp_path.name}-above")
        # A workdir below its new path.
        deep = target / "deep"
        move(carried, deep)
        update(deep)
        for path in deep.iterdir():
            path.rename(target / path.name)
    else:
        move(carried, target)
    update(target)
    workdir, _, store = opened(target)
    assert all(Path(artifact.uri).is_dir() for artifact in store.get_artifacts())
    cleanup.clean_up(store, workdir)
    assert verify(store, workdir).faults == ()
    assert update(target) is None


def test_commands_in_a_copy_do_not_change_the_original(work, tmp_path):
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    shutil.copytree(work, tmp_path / "copy")
    update(tmp_path / "copy")
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
    assert update(work) is None


def test_moving_a_workdir_back_restores_its_records(work, tmp_path):
    _, _, store = opened(work)
    before = [artifact.uri for artifact in store.get_artifacts()]
    move(work, tmp_path / "away")
    update(tmp_path / "away")
    move(tmp_path / "away", work)
    update(work)
    _, _, store = opened(work)
    assert [artifact.uri for artifact in store.get_artifacts()] == before


@pytest.mark.parametrize("recorded", [True, False])
def test_a_workdir_of_an_old_version_has_no_record_of_its_path(work, tmp_path, recorded):
    if not recorded:
        (work / "workdir.json").unlink()
    move(work, tmp_path / "new")
    assert update(tmp_path / "new").previous == (str(work),)


def test_metadata_restored_from_an_older_backup_is_updated_again(work, tmp_path):
    backup = (work / "metadata.sqlite").read_bytes()
    move(work, tmp_path / "new")
    update(tmp_path / "new")
    (tmp_path / "new" / "metadata.sqlite").write_bytes(backup)
    assert update(tmp_path / "new").previous == (str(work),)


def test_links_between_records_are_preserved(work, tmp_path):
    _, _, store = opened(work)

    def links(store):
        return [
            [context.id for context in store.get_contexts_by_artifact(artifact.id)]
            for artifact in store.get_artifacts()
        ] + [
            [context.id for context in store.get_contexts_by_execution(execution.id)]
            for execution in store.get_executions()
        ]

    before = links(store)
    move(work, tmp_path / "new")
    update(tmp_path / "new")
    assert links(opened(tmp_path / "new")[2]) == before


def test_the_server_configuration_has_the_new_path_of_the_versions(work, tmp_path):
    canary.set_up(Workdir(work, "ner").versions, base_path=None)
    move(work, tmp_path / "new")
    update(tmp_path / "new")
    text = (tmp_path / "new" / "serving" / canary.CONFIG).read_text()
    assert f'base_path: "{tmp_path / "new" / "serving" / "ner"}"' in text


STEPS = ("put_lineage_subgraph", "put_contexts", "write_location")


@pytest.mark.parametrize("target", ["new", "work/inside"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_an_update_that_is_killed_is_completed_by_the_next_command(
    work, tmp_path, step, when, target
):
    """The process kills itself before or after each write."""
    carried = tmp_path / "carried"
    work.rename(carried)
    move(carried, tmp_path / target)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / target), step, when], capture_output=True
    )
    assert killed.returncode == -9, killed.stderr
    update(tmp_path / target)
    workdir, _, store = opened(tmp_path / target)
    assert all(Path(artifact.uri).is_dir() for artifact in store.get_artifacts())
    assert {run.facts.workdir for run in runs.load_runs(store, workdir)} == {str(tmp_path / target)}
    assert verify(store, workdir).faults == ()
    assert update(tmp_path / target) is None


KILLED = """
import os, signal, sys
import ml_metadata
from pathlib import Path
from pipeline import metadata_store
from pipeline.config import Metadata
from pipeline.history import relocation
from pipeline.workdir import Workdir

root, step, when = sys.argv[1:]
owner = Workdir if step == "write_location" else ml_metadata.MetadataStore
method = getattr(owner, step)

def killing(*arguments, **named):
    if when == "after":
        method(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, step, killing)
workdir = Workdir(Path(root), "ner")
connection = metadata_store.connection(Metadata(), workdir)
with workdir.locked():
    relocation.update_paths(metadata_store.opened(connection), workdir, connection)
"""


def test_a_copy_that_shares_a_database_server_with_the_original_is_refused(work, tmp_path):
    """Simulated with the workdir's record of its database, so that no server is needed."""
    shutil.copytree(work, tmp_path / "copy")
    copy, database = Workdir(tmp_path / "copy", "ner"), "mysql://db:3306/tfx_ner"
    copy.location_file.write_text(json.dumps({"path": str(work), "id": "1", "database": database}))
    with pytest.raises(UserError, match=r"found a copy of .*/work, whose records are in the same"):
        relocation._refuse_shared_database(work, copy, database)
    relocation._refuse_shared_database(tmp_path / "gone", copy, database)
    relocation._refuse_shared_database(work, copy, "mysql://db:3306/another")


def test_a_command_at_work_in_the_moved_workdir_is_not_disturbed(work, tmp_path):
    move(work, tmp_path / "new")
    workdir, connection, _ = opened(tmp_path / "new")
    with (
        workdir.locked(),
        pytest.raises(UserError, match=f"process {os.getpid()} is using the workdir"),
    ):
        relocation.open_store(workdir, connection)
