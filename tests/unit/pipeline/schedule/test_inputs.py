"""`inputs.changes`: changes of data, settings, schema and code."""

import os

import pytest

from components.errors import UserError
from pipeline import code_hash, config
from pipeline.schedule import inputs


@pytest.fixture
def made(project):
    """Reads the inputs of the project, and lists the changes since."""

    class Made:
        def config(self, *settings, data=project.data):
            return config.load(None, settings, {"data": str(data), "workdir": str(project.work)})

        def read(self, *settings):
            return inputs.with_hashes(
                inputs.snapshot(self.config(*settings)), self.config(*settings)
            )

        def changes(self, before, *settings):
            return inputs.changes(
                inputs.snapshot(self.config(*settings)), before, self.config(*settings)
            )

    return Made()


def test_unchanged_inputs_have_no_changes(made):
    assert made.changes(made.read()) == ()


def test_a_file_of_the_same_size_and_other_content_is_new(made, project):
    before = made.read()
    project.write("train.conll", "Bea\tB-PER\nspoke\tO\n\n")
    assert made.changes(before) == ("changed data: train.conll",)


def test_other_content_with_the_old_time_of_change_is_new(made, project):
    file = project.data / "train.conll"
    before, seen = made.read(), file.stat()
    project.write("train.conll", "Bea\tB-PER\nspoke\tO\n\n")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert made.changes(before) == ("changed data: train.conll",)


def test_the_same_content_written_again_is_not_new(made, project):
    before = made.read()
    project.write("train.conll")
    os.utime(project.data / "train.conll", (1, 1))
    assert made.changes(before) == ()


def test_a_touched_file_is_not_read_again_after_its_new_time_is_stored(made, project, monkeypatch):
    before = made.read()
    os.utime(project.data / "train.conll", (1, 1))
    now = inputs.snapshot(made.config())
    kept = inputs.with_times_of(before, now)
    monkeypatch.setattr(inputs, "content_hash", lambda path: pytest.fail("it was read"))
    assert inputs.changes(now, kept, made.config()) == ()


def test_moved_data_with_the_same_content_is_not_new(made, project):
    before = made.read()
    project.data.rename(project.data.with_name("renamed"))
    now = inputs.snapshot(made.config(data=project.data.with_name("renamed")))
    assert inputs.changes(now, before, made.config()) == ()
    kept = inputs.with_times_of(before, now)
    assert kept.files.keys() == now.files.keys()
    assert inputs.changes(now, kept, made.config()) == ()


def test_moved_data_with_other_content_is_new(made, project):
    before = made.read()
    project.write("train.conll", "Bea\tB-PER\nspoke\tO\n\n")
    project.data.rename(project.data.with_name("renamed"))
    now = inputs.snapshot(made.config(data=project.data.with_name("renamed")))
    assert inputs.changes(now, before, made.config())[0] == "new data: train.conll"


def test_new_and_missing_files_are_named(made, project):
    before = made.read()
    project.write("dev.conll")
    assert made.changes(before) == ("new data: dev.conll",)
    before = made.read()
    (project.data / "dev.conll").unlink()
    assert made.changes(before) == ("data is gone: dev.conll",)


def test_files_that_are_not_data_are_ignored(made, project):
    before = made.read()
    project.write("README.md")
    assert made.changes(before) == ()


def test_spans_are_named(made, project):
    (project.data / "train.conll").unlink()
    for number in (1, 2):
        project.write("all.conll", folder=project.data / f"span-{number}")
    before = made.read()
    project.write("all.conll", folder=project.data / "span-3")
    assert made.changes(before) == ("new data: span 3",)
    project.write("all.conll", "Bea\tB-PER\n\n", folder=project.data / "span-3" / "version-1")
    assert made.changes(before) == ("new data: span 3 version 1",)


def test_a_span_outside_the_window_is_ignored(made, project):
    (project.data / "train.conll").unlink()
    for number in (1, 2):
        project.write("all.conll", folder=project.data / f"span-{number}")
    before = made.read("window=1")
    project.write("all.conll", "Bea\tB-PER\n\n", folder=project.data / "span-1")
    assert made.changes(before, "window=1") == ()


def test_changed_settings_are_named(made):
    before = made.read()
    assert made.changes(before, "training.epochs=2", "gate.minimum_f1=0.1") == (
        "changed settings: gate.minimum_f1, training.epochs",
    )


@pytest.mark.parametrize("setting", ["schedule.retries=7", "orchestrator=local", "beam.workers=2"])
def test_settings_that_do_not_affect_the_model_are_ignored(made, setting):
    assert made.changes(made.read(), setting) == ()


def test_the_snapshot_has_no_password(made):
    assert (
        "geheim"
        not in made.read("metadata.kind=mysql", "metadata.password=geheim").model_dump_json()
    )


def test_only_an_edit_of_the_schema_after_the_run_is_a_change(made, project):
    before = made.read()
    contract = project.write("schema.pbtxt", "feature {}", project.work / "schema")
    assert made.changes(before) == ()
    after = inputs.with_schema(before, made.config())
    assert made.changes(after) == ()
    contract.write_text("feature { name: 'x' }")
    assert made.changes(after) == ("changed schema",)
    contract.unlink()
    assert made.changes(after) == ("changed schema",)


def test_code_is_new_when_a_source_changes(made, monkeypatch):
    before = made.read()
    monkeypatch.setattr(code_hash, "whole_hash", lambda: "other")
    assert made.changes(before) == ("changed code of tfx-ner or its libraries",)


def test_missing_data_is_refused(made, project):
    (project.data / "train.conll").unlink()
    with pytest.raises(UserError, match="found no corpus"):
        made.read()


def test_an_incomplete_span_is_refused(made, project):
    project.write("all.conll", folder=project.data / "span-1")
    with pytest.raises(UserError, match="span 1 is not complete: _SUCCESS"):
        made.read("spans.marker=_SUCCESS")
