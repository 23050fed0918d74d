"""Addresses, patterns and remote files."""

import glob
import io
import os
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import BufferReader

from components.errors import UserError
from components.storage import remote
from components.storage.remote import Remote, StorageError

_NAMES = st.text(st.sampled_from("ab.*?_é "), min_size=1, max_size=6)


@pytest.mark.parametrize(
    "path", ["s3://bucket/a", "gs://bucket", "hdfs://host:8020/a", "S3://bucket/a"]
)
def test_remote_storage_is_recognised_by_its_scheme(path):
    assert remote.is_remote(path) and remote.is_address(path)


@pytest.mark.parametrize("path", ["a/b", "/a", "s3:/a", "a://b/c d"[1:], "C:\\a", "."])
def test_a_local_path_is_not_an_address(path):
    assert not remote.is_remote(path)


@pytest.mark.parametrize("path", ["http://host/a", "s3a://bucket/a", "file:///a"])
def test_another_scheme_is_refused(path):
    with pytest.raises(
        UserError,
        match=re.escape(f"{path}: cannot read {path.partition('//')[0]}//; expected a path"),
    ):
        remote.is_remote(path)


def test_an_address_without_a_bucket_is_refused():
    with pytest.raises(UserError, match="s3://: found no bucket"):
        Remote("s3://").exists()


def test_errors_of_arrow_become_one_line():
    with (
        pytest.raises(StorageError, match=r"^s3://b/a: cannot be reached \(one two\)$"),
        remote._errors_of("s3://b/a"),
    ):
        raise OSError("one\n  two")
    with pytest.raises(UserError, match=r"^s3://b/a: missing"), remote._errors_of("s3://b/a"):
        raise OSError("AWS Error NO_SUCH_BUCKET during")
    with pytest.raises(UserError, match=r"^s3://b/a: no such file"), remote._errors_of("s3://b/a"):
        raise FileNotFoundError("a")


@pytest.mark.parametrize(
    "pattern, found",
    [
        ("", ["a.txt", "b c%20.txt"]),
        ("*.txt", ["a.txt", "b c%20.txt"]),
        ("**/*.txt", ["a.txt", "b c%20.txt", "deep/a.txt", "deep/er/c.txt"]),
        ("*/a.txt", ["deep/a.txt"]),
        ("deep/??.txt", []),
        ("[!a]*.txt", ["b c%20.txt"]),
        ("_hidden.txt", ["_hidden.txt"]),
        ("deep", ["deep/a.txt"]),
        ("a.txt", ["a.txt"]),
        ("none", []),
    ],
)
def test_a_pattern_finds_the_same_files_as_glob(put, bucket, pattern, found):
    for name in ("a.txt", "b c%20.txt", "deep/a.txt", "deep/er/c.txt", "_hidden.txt", ".b.txt"):
        put(name)
    there = remote.find_files(f"{bucket}/{pattern}".rstrip("/"))
    assert [one.removeprefix(f"{bucket}/") for one in there] == found


@given(
    st.lists(_NAMES.filter(lambda name: name not in (".", "..")), max_size=6),
    st.text(st.sampled_from("ab.*?é "), max_size=5),
)
def test_names_match_a_pattern_as_in_glob(tmp_path_factory, names, pattern):
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        (folder / name).write_text("")
    expected = {
        os.path.basename(path) for path in glob.glob(f"{glob.escape(str(folder))}/{pattern}x*")
    }
    whole = re.compile(remote._glob_to_regex(f"{pattern}x*"))
    assert {
        name for name in {*os.listdir(folder)} if whole.fullmatch(name) and name[0] != "."
    } == expected - {""}


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3500), max_size=5))
def test_a_file_is_read_from_any_offset(content, offsets):
    file = io.BufferedReader(remote._RawFile(BufferReader(content), "s3://b/a"), 100)
    for offset in offsets:
        file.seek(offset % (len(content) + 1))
        assert file.readline() == io.BytesIO(content[offset % (len(content) + 1) :]).readline()
    file.seek(0)
    assert file.read() == content


def test_an_uploaded_file_can_be_read_downloaded_and_removed(bucket, write, tmp_path):
    remote_file = bucket / "a.txt"
    remote_file.upload(write("here.txt", string.printable))
    assert remote_file.is_file() and remote_file.read_text() == string.printable
    remote_file.download(tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_bytes() == string.printable.encode()
    remote_file.unlink()
    assert not remote_file.exists()
    remote_file.unlink(missing_ok=True)


def test_an_address_is_refused_for_an_option_that_needs_a_local_path():
    remote.refuse_address("--config", "a.yaml", "")
    remote.refuse_address("--config", None, "")
    with pytest.raises(
        UserError, match=r"^--config s3://b/a: found an address; expected .* Fetch it$"
    ):
        remote.refuse_address("--config", "s3://b/a", "Fetch it")
