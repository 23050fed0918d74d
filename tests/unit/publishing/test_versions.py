"""Publishing: a version appears complete or not at all, with the highest number."""

import os
import threading

import pytest

import components.atomic_io
from components.publishing import changes, versions
from components.publishing.changes import publish

HOLD = changes.Hold(2, 1, "now", "me", "")


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_version_is_a_copy_of_the_model_named_by_the_time(model, folders, monkeypatch):
    monkeypatch.setattr(changes.time, "time", lambda: 1_700_000_000.9)
    source = model()
    target = publish(source, folders)
    assert target == folders.live / "1700000000" and content(target) == content(source)


def test_the_version_is_higher_even_if_the_clock_was_set_back(model, folders, monkeypatch):
    monkeypatch.setattr(changes.time, "time", lambda: 2_000_000_000)
    publish(model("1"), folders)
    monkeypatch.setattr(changes.time, "time", lambda: 1_000_000_000)
    assert publish(model("2"), folders).name == "2000000001"


def test_two_models_within_a_second_are_two_versions(model, folders, monkeypatch):
    monkeypatch.setattr(changes.time, "time", lambda: 1_700_000_000)
    publish(model("1"), folders)
    publish(model("2"), folders)
    assert versions.versions(folders.live) == [1_700_000_000, 1_700_000_001]


def test_the_same_model_is_not_published_twice(model, folders):
    first = publish(model(), folders)
    assert publish(first, folders) == first and folders.all == [int(first.name)]


def test_partial_copies_of_a_killed_run_are_removed(model, folders):
    (folders.live / ".partial-17").mkdir(parents=True)
    (folders.live / ".partial-17" / "saved_model.pb").write_text("half")
    target = publish(model(), folders)
    assert sorted(path.name for path in folders.live.iterdir()) == [".latest", target.name]


def test_a_failed_copy_leaves_no_version(model, folders, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    source = model()
    monkeypatch.setattr(components.atomic_io, "sync", full)
    with pytest.raises(OSError):
        publish(source, folders)
    assert list(folders.live.iterdir()) == []


def test_a_polling_server_sees_complete_versions_only(model, folders):
    seen, done = set(), threading.Event()

    def poll():
        while not done.is_set():
            for number in versions.versions(folders.live):
                seen.add(len(content(folders.live / str(number))))

    watcher = threading.Thread(target=poll)
    watcher.start()
    for n in range(20):
        publish(model(str(n)), folders)
    done.set()
    watcher.join()
    assert seen == {4}


def test_other_names_in_the_folder_are_ignored(folders):
    for name in ("1", "02", "x", "1.5", ".partial-3", "٣"):
        (folders.live / name).mkdir(parents=True)
    (folders.live / "7").write_text("a file")
    assert versions.versions(folders.live) == [1, 2]


def test_a_lost_version_is_recognised_by_the_record(model, folders):
    assert versions.lost_version(folders) == ""
    target = publish(model(), folders)
    assert versions.lost_version(folders) == ""
    os.rename(target, target.with_name("kept-elsewhere"))
    assert versions.lost_version(folders) == target.name


def test_a_withdrawn_version_is_not_lost(model, folders):
    target = publish(model(), folders)
    folders.withdrawn.mkdir(parents=True)
    target.rename(folders.withdrawn / target.name)
    assert versions.lost_version(folders) == ""


def test_during_a_hold_a_model_is_withdrawn_with_the_highest_number(model, folders):
    first = publish(model("1"), folders)
    changes.save_hold(folders.withdrawn, HOLD)
    second = publish(model("2"), folders)
    assert second.parent == folders.withdrawn and int(second.name) > int(first.name)
    assert versions.serving(folders) == int(first.name)


def test_a_withdrawn_model_is_not_published_again(model, folders):
    source = model()
    target = publish(source, folders)
    folders.withdrawn.mkdir(parents=True)
    target.rename(folders.withdrawn / target.name)
    assert publish(source, folders) == folders.withdrawn / target.name
    assert versions.versions(folders.live) == []


@pytest.mark.parametrize(
    "part",
    [
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/ner.json",
    ],
)
def test_a_version_without_a_file_is_incomplete(model, part):
    version = model()
    assert versions.missing_parts(version) == ()
    (version / part).unlink()
    [missing] = versions.missing_parts(version)
    assert missing in part


def test_a_version_with_a_truncated_card_is_incomplete(model):
    version = model()
    (version / "assets.extra" / "ner.json").write_text("{")
    assert versions.missing_parts(version) == ("a readable assets.extra/ner.json",)
