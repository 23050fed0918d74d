"""Files of unknown origin are set aside in a folder and removed after some days."""

import json
import time

import pytest

from components.settings import Keep
from pipeline.history import cleanup
from pipeline.history.verify import verify
from tests.unit.history.test_verify_and_prune import unknown_folder


def faults(history):
    return [fault.what for fault in verify(history.store, history.workdir).faults]


def test_an_unknown_folder_is_set_aside_with_a_manifest_and_one_line(history, capsys):
    history.add_run()
    unknown_folder(history.workdir)
    cleanup.clean_up(history.store, history.workdir)
    [entry] = cleanup.list_set_aside(history.workdir)
    assert entry.sources == ("artifacts/Trainer/model/77",)
    assert (entry.folder / entry.sources[0] / "weights").read_text() == "of somebody"
    manifest = json.loads((entry.folder / cleanup.MANIFEST).read_text())
    assert manifest["folders"] == ["artifacts/Trainer/model/77"] and manifest["reason"]
    output = capsys.readouterr().err
    assert (
        output.count("\n") == 1
        and f"1 folders of unknown origin were set aside in {entry.folder}" in output
    )
    assert faults(history) == []
    assert verify(history.store, history.workdir).set_aside == (str(entry.folder),)


def test_the_files_of_a_killed_node_are_removed_and_not_set_aside(history):
    history.add_unfinished_run()
    cleanup.clean_up(history.store, history.workdir)
    assert cleanup.list_set_aside(history.workdir) == []
    assert not list(history.workdir.artifacts.glob("Trainer/model/*"))


def test_a_folder_with_the_number_of_another_nodes_execution_is_set_aside(history):
    history.add_unfinished_run()
    folder = history.workdir.artifacts / "Pusher" / "pushed_model" / "1"
    folder.mkdir(parents=True)
    (folder / "published.json").write_text("{}")
    cleanup.clean_up(history.store, history.workdir)
    [entry] = cleanup.list_set_aside(history.workdir)
    assert entry.sources == ("artifacts/Pusher/pushed_model/1",)


def test_files_without_metadata_are_set_aside_and_not_deleted(history, tmp_path):
    """As after restoring a backup without its database."""
    from pipeline import metadata_store

    model = history.add_run()
    history.workdir.metadata.unlink()
    store = metadata_store.opened(history.connection)
    cleanup.clean_up(store, history.workdir)
    [entry] = cleanup.list_set_aside(history.workdir)
    assert f"artifacts/Trainer/model/{model.uri.rpartition('/')[2]}" in entry.sources
    assert all(any((entry.folder / source).iterdir()) for source in entry.sources)


def test_an_empty_folder_is_removed(history):
    history.add_run()
    (history.workdir.artifacts / "Trainer" / "model" / "77").mkdir()
    cleanup.clean_up(history.store, history.workdir)
    assert cleanup.list_set_aside(history.workdir) == [] and faults(history) == []


@pytest.mark.parametrize(("days", "left"), [(30, 1), (1, 0), (0, 0)])
def test_pruning_removes_set_aside_folders_after_some_days(history, days, left):
    unknown_folder(history.workdir)
    cleanup.clean_up(history.store, history.workdir)
    [entry] = cleanup.list_set_aside(history.workdir)
    manifest = json.loads((entry.folder / cleanup.MANIFEST).read_text())
    manifest["time"] = time.time() - 2 * 86_400
    (entry.folder / cleanup.MANIFEST).write_text(json.dumps(manifest))
    removed = cleanup.prune(history.store, history.workdir, keep=1, set_aside_days=days)
    assert len(removed.set_aside) == 1 - left == 1 - len(cleanup.list_set_aside(history.workdir))


def test_a_run_with_the_keep_setting_removes_set_aside_folders(history):
    unknown_folder(history.workdir)
    cleanup.clean_up(history.store, history.workdir)
    with cleanup.around_run(history.connection, history.workdir, Keep(runs=1, set_aside_days=0)):
        history.add_run()
    assert cleanup.list_set_aside(history.workdir) == []


def test_setting_aside_that_is_killed_is_completed_by_the_next_command(history, monkeypatch):
    from pathlib import Path

    for name in ("77", "78"):
        unknown_folder(history.workdir, name)
    rename = Path.rename

    def killing(path, target):
        if path.name == "78":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "rename", killing)
        cleanup.clean_up(history.store, history.workdir)
    cleanup.clean_up(history.store, history.workdir)
    kept = [
        path
        for entry in cleanup.list_set_aside(history.workdir)
        for path in entry.folder.rglob("weights")
    ]
    assert len(kept) == 2 and faults(history) == []
