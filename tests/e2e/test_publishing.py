"""Publishing: a version appears whole or not at all, and its number is always the highest."""

import os
import threading

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def pusher():
    from components.publishing import pusher

    return pusher


@pytest.fixture
def model(tmp_path):
    """Makes a folder like a SavedModel with the given weights."""

    def make(weights="1"):
        folder = tmp_path / f"model-{weights}"
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text("graph")
        (folder / "variables" / "variables.index").write_text(weights)
        return folder

    return make


@pytest.fixture
def base(tmp_path):
    return tmp_path / "serving" / "ner"


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_the_whole_model_under_the_time(pusher, model, base, monkeypatch):
    monkeypatch.setattr(pusher.time, "time", lambda: 1_700_000_000.9)
    source = model()
    target = pusher.publish(source, base)
    assert target == base / "1700000000" and content(target) == content(source)


def test_a_clock_set_back_still_gives_a_higher_version(pusher, model, base, monkeypatch):
    monkeypatch.setattr(pusher.time, "time", lambda: 2_000_000_000)
    pusher.publish(model("1"), base)
    monkeypatch.setattr(pusher.time, "time", lambda: 1_000_000_000)
    assert pusher.publish(model("2"), base).name == "2000000001"


def test_two_models_within_a_second_are_two_versions(pusher, model, base, monkeypatch):
    monkeypatch.setattr(pusher.time, "time", lambda: 1_700_000_000)
    pusher.publish(model("1"), base)
    pusher.publish(model("2"), base)
    assert pusher.versions(base) == [1_700_000_000, 1_700_000_001]


def test_the_same_model_is_not_published_twice(pusher, model, base):
    first = pusher.publish(model(), base)
    assert pusher.publish(first, base) == first and len(pusher.versions(base)) == 1


def test_what_a_killed_run_left_is_removed(pusher, model, base):
    (base / ".partial-17").mkdir(parents=True)
    (base / ".partial-17" / "saved_model.pb").write_text("half")
    target = pusher.publish(model(), base)
    assert sorted(path.name for path in base.iterdir()) == [".latest", target.name]


def test_a_copy_that_fails_leaves_no_version(pusher, model, base, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(pusher, "_sync", full)
    with pytest.raises(OSError):
        pusher.publish(model(), base)
    assert pusher.versions(base) == []


def test_who_polls_meanwhile_sees_whole_versions_only(pusher, model, base):
    seen, done = set(), threading.Event()

    def poll():
        while not done.is_set():
            for number in pusher.versions(base):
                seen.add(len(content(base / str(number))))

    watcher = threading.Thread(target=poll)
    watcher.start()
    for n in range(20):
        pusher.publish(model(str(n)), base)
    done.set()
    watcher.join()
    assert seen == {2}


def test_other_names_in_the_folder_are_no_versions(pusher, base):
    for name in ("1", "02", "x", "1.5", ".partial-3", "٣"):
        (base / name).mkdir(parents=True)
    (base / "7").write_text("a file")
    assert pusher.versions(base) == [1, 2]


def test_a_lost_version_is_known_by_its_record(pusher, model, base):
    assert pusher.lost_version(base) == ""
    target = pusher.publish(model(), base)
    assert pusher.lost_version(base) == ""
    os.rename(target, target.with_name("kept-elsewhere"))
    assert pusher.lost_version(base) == target.name
