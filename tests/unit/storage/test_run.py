"""A run with remote data that copies its model to remote storage."""

import pytest
import yaml
from rich.console import Console

from components.storage import copies
from components.storage.remote import Remote, StorageError
from pipeline import run as running
from pipeline.config import Config
from pipeline.console import RunConsole
from tests.unit.pipeline.sample_outcomes import make_outcome


@pytest.fixture
def run(bucket, put, tmp_path, monkeypatch):
    """A function that runs on s3://bucket/corpus without the graph: publishes a version and records its request."""
    for split in ("train", "dev", "test"):
        put(f"corpus/{split}.conll", "Ada\tB-PER\nspoke\tO\n\n" * 9)
    seen = []

    def execute(config, work):
        seen.append((config, work))
        version = work.workdir.serving / "7"
        version.mkdir(parents=True, exist_ok=True)
        (version / "saved_model.pb").write_text("model")
        return make_outcome(published=str(version), version="7"), running.NodeRecorder()

    monkeypatch.setattr(running, "_execute", execute)
    monkeypatch.setattr(running, "_with_report", lambda outcome, *_: outcome)
    settings = {
        "data": "s3://bucket/corpus",
        "publish": {"copy_to": "s3://bucket/ner"},
        "workdir": str(tmp_path / "w"),
    }

    def once():
        running.run(
            running.RunRequest(Config.model_validate(settings), settings["data"], "corpus"),
            RunConsole(Console(quiet=True)),
        )
        return seen[-1]

    return once


def test_a_run_reads_copies_and_records_the_address(run, tmp_path):
    _, work = run()
    files = [file for group in work.survey.splits.files.values() for file in group]
    assert len(files) == 3 and all(
        file.startswith(str(tmp_path / "w" / "fetched")) for file in files
    )
    assert yaml.safe_load((work.folder / "config.yaml").read_text())["data"] == "s3://bucket/corpus"
    assert (
        run()[1].survey == work.survey
    )  # the same files at the same place, so that the cache holds


def test_a_run_uploads_the_version_that_it_publishes(run, bucket):
    run()
    assert copies.list_versions(bucket / "ner") == [7]


def test_the_next_run_repeats_a_failed_upload(run, bucket, monkeypatch):
    def unreachable(path, file):
        raise StorageError(f"{path}: cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr(Remote, "upload", unreachable)
        with pytest.raises(StorageError):
            run()
    run()
    assert copies.list_versions(bucket / "ner") == [7]
