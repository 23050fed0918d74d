"""Local folders in place of remote buckets."""

import pytest
from pyarrow import fs

from components.storage import remote
from components.storage.remote import Remote


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The address of an empty bucket."""
    (tmp_path / "elsewhere" / "bucket").mkdir(parents=True)
    system = fs.SubTreeFileSystem(str(tmp_path / "elsewhere"), fs.LocalFileSystem())
    monkeypatch.setattr(remote, "_file_system", lambda scheme, host: system)
    upload = Remote.upload

    def upload_into_folder(remote_file, file):  # a bucket has no folders that have to be made
        (tmp_path / "elsewhere" / remote_file._path).parent.mkdir(parents=True, exist_ok=True)
        upload(remote_file, file)

    monkeypatch.setattr(Remote, "upload", upload_into_folder)
    return Remote("s3://bucket")


@pytest.fixture
def put(bucket, tmp_path):
    """A function that writes a file into the bucket."""

    def write(name, text="x\n"):
        path = tmp_path / "elsewhere" / "bucket" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return bucket / name

    return write
