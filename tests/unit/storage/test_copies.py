"""Local copies of remote files, and uploads of versions."""

import os
import time
from pathlib import Path

import pytest

from components.errors import UserError
from components.publishing.versions import Folders
from components.storage import copies
from components.storage.remote import Remote
from pipeline import remote_inputs
from pipeline.config import Config
from pipeline.workdir import Workdir


@pytest.fixture
def fetch(tmp_path):
    """A function that fetches an address into the folder `copies`; returns the local path and the messages."""

    def run(path):
        messages = []
        return Path(copies.local_copy(str(path), tmp_path / "copies", messages.append)), messages

    return run


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tfx-ner"


def age(copy: str, days: float) -> None:
    """Sets the last use of a copy to a number of days ago."""
    then = time.time() - days * 24 * 60 * 60
    os.utime(Path(copy).parent, (then, then))


def test_an_unused_copy_in_the_users_cache_is_removed_after_30_days(put, cache):
    old, newer = (copies.local_copy(str(put(f"{name}/x.txt"))) for name in ("old", "newer"))
    age(old, 31), age(newer, 29)
    last = copies.local_copy(str(put("last/x.txt")))
    assert not Path(old).parent.exists() and Path(newer).exists() and Path(last).exists()


def test_used_copies_and_other_files_are_kept(put, cache):
    used = copies.local_copy(str(put("used/x.txt")))
    age(used, 100)
    (cache / "other").mkdir()
    os.utime(cache / "other", (0, 0))
    assert (
        copies.local_copy("s3://bucket/used/x.txt") == used
        and Path(used).exists()
        and (cache / "other").exists()
    )


def test_copies_in_a_workdir_are_kept(put, fetch, cache):
    old, _ = fetch(put("old/x.txt"))
    age(str(old), 1000)
    fetch(put("new/x.txt"))
    assert old.exists()


def test_a_local_path_is_returned_unchanged(tmp_path):
    assert copies.local_copy("a/b", tmp_path) == "a/b" and not list(tmp_path.iterdir())


def test_a_folder_is_fetched_once(put, bucket, fetch):
    put("corpus/train.conll", "one\n")
    put("corpus/span-1/dev.conll", "two\n")
    copy, messages = fetch(bucket / "corpus")
    assert copy.name == "corpus" and (copy / "train.conll").read_text() == "one\n"
    assert (copy / "span-1/dev.conll").read_text() == "two\n"
    assert messages == ["fetching s3://bucket/corpus: 2 files, 0.0 MB"]
    assert fetch(bucket / "corpus") == (copy, [])


def test_changed_files_are_fetched_again(put, bucket, fetch, tmp_path):
    put("corpus/a/a.conll", "one\n")
    put("corpus/b.conll")
    copy, _ = fetch(bucket / "corpus")
    before = (copy / "b.conll").stat().st_ino
    put("corpus/a.conll", "more\n")
    (tmp_path / "elsewhere/bucket/corpus/a/a.conll").unlink()
    fetch(bucket / "corpus")
    assert sorted(path.name for path in copy.iterdir()) == ["a.conll", "b.conll"]
    assert (copy / "b.conll").stat().st_ino == before


def test_a_single_file_is_fetched(put, fetch):
    copy, _ = fetch(put("deep/vectors.txt", "a 1\n"))
    assert copy.name == "vectors.txt" and copy.read_text() == "a 1\n"
    assert fetch("s3://bucket/deep/vectors.txt") == (copy, [])


def test_addresses_with_the_same_name_have_separate_copies(put, fetch):
    assert fetch(put("a/x.txt", "1"))[0] != fetch(put("b/x.txt", "2"))[0]


def test_a_missing_address_is_refused(bucket, fetch, tmp_path):
    with pytest.raises(UserError, match="s3://bucket/none: no such file or folder"):
        fetch(bucket / "none")
    assert not (tmp_path / "copies").exists()


def test_an_interrupted_fetch_leaves_no_file(put, bucket, fetch, tmp_path, monkeypatch):
    put("corpus/a.conll", "one\n")

    def broken(path, file):
        file.write_bytes(b"on")
        raise OSError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Remote, "download", broken)
        with pytest.raises(OSError):
            fetch(bucket / "corpus")
    assert not [path for path in (tmp_path / "copies").rglob("*") if path.is_file()]
    assert (fetch(bucket / "corpus")[0] / "a.conll").read_text() == "one\n"


def test_a_name_outside_the_folder_is_refused(put, bucket, fetch, monkeypatch):
    info = put("corpus/a.conll").info()
    monkeypatch.setattr(Remote, "listing", lambda path: [(bucket / "corpus/../../a.conll", info)])
    with pytest.raises(UserError, match=r"found the name \.\./\.\./a\.conll"):
        fetch(bucket / "corpus")


def test_a_run_keeps_its_copies_in_the_workdir_and_records_the_addresses(put, bucket, tmp_path):
    put("corpus/train.conll")
    given = Config(data=str(bucket / "corpus"), golden="here.conll")
    workdir = Workdir(tmp_path / "work", "ner")
    settings = remote_inputs.fetched(given, workdir)
    assert Path(settings.data).is_relative_to(workdir.fetched) and settings.golden == "here.conll"
    assert remote_inputs.as_given(settings, given) == given
    assert remote_inputs.fetched(Config(data="a"), Workdir(tmp_path / "other", "ner")).data == "a"
    assert not (tmp_path / "other").exists()


@pytest.fixture
def folders(tmp_path):
    """The version folders of a workdir, with two live versions."""
    made = Folders(tmp_path / "live", tmp_path / "withdrawn")
    made.withdrawn.mkdir()
    for number in ("7", "8"):
        for name in ("saved_model.pb", "variables/variables.index", "assets.extra/ner.json"):
            path = made.live / number / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(number)
    return made


def test_saved_model_pb_is_uploaded_last(folders, bucket, monkeypatch):
    order, put = [], Remote.upload
    monkeypatch.setattr(
        Remote, "upload", lambda path, file: (order.append(path.address), put(path, file))
    )
    remote_inputs.publish(folders, "s3://bucket/ner/", lambda _: None)
    assert order[-1] == "s3://bucket/ner/8/saved_model.pb" and len(order) == 3
    assert copies.list_versions(bucket / "ner") == [8]
    order.clear()
    remote_inputs.publish(folders, "s3://bucket/ner", lambda _: None)
    assert not order


def test_an_interrupted_upload_is_not_a_version_and_is_repeated(folders, bucket, monkeypatch):
    put = Remote.upload

    def broken(path, file):
        if path.name == "saved_model.pb":
            raise OSError("gone")
        put(path, file)

    with monkeypatch.context() as patched:
        patched.setattr(Remote, "upload", broken)
        with pytest.raises(OSError):
            remote_inputs.publish(folders, "s3://bucket/ner", lambda _: None)
    assert (bucket / "ner/8/assets.extra/ner.json").exists() and copies.list_versions(
        bucket / "ner"
    ) == []
    remote_inputs.publish(folders, "s3://bucket/ner", lambda _: None)
    assert copies.list_versions(bucket / "ner") == [8]


def test_a_withdrawn_version_is_removed_after_the_upload_of_its_replacement(
    folders, bucket, monkeypatch
):
    remote_inputs.publish(folders, "s3://bucket/ner", lambda _: None)
    (folders.live / "8").rename(folders.withdrawn / "8")
    messages, gone, unlink = [], [], Remote.unlink
    monkeypatch.setattr(
        Remote,
        "unlink",
        lambda path, missing_ok=False: (gone.append(path.address), unlink(path, missing_ok)),
    )
    remote_inputs.publish(folders, "s3://bucket/ner", messages.append)
    assert messages == [
        "copying version 7 to s3://bucket/ner",
        "removing version 8 from s3://bucket/ner",
    ]
    assert gone[0] == "s3://bucket/ner/8/saved_model.pb" and copies.list_versions(
        bucket / "ner"
    ) == [7]
    assert not (bucket / "ner/8").exists() or not (bucket / "ner/8").listing()


def test_versions_of_other_origin_are_kept(folders, bucket, put):
    put("ner/99/saved_model.pb")
    put("ner/models.config")
    remote_inputs.publish(folders, "s3://bucket/ner", lambda _: None)
    assert (
        copies.list_versions(bucket / "ner") == [8, 99] and (bucket / "ner/models.config").exists()
    )


def test_publishing_without_an_address_or_a_version_uploads_no_file(folders, tmp_path, bucket):
    remote_inputs.publish(folders, None, lambda _: None)
    remote_inputs.publish(
        Folders(tmp_path / "none", tmp_path / "none2"), "s3://bucket/ner", lambda _: None
    )
    assert not list(bucket.iterdir())
