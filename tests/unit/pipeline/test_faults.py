"""A full disk, a read-only folder, a clock set back: one error line, no loss, and the next run succeeds."""

import datetime
import os
import subprocess

import pytest
from rich.console import Console

from components.errors import UserError
from components.publishing import changes, versions
from pipeline import metadata_store
from pipeline import run as runs
from pipeline.config import Config
from pipeline.console import RunConsole
from tests.unit.history.run_history import RunHistory


def mount(*arguments):
    """Mounts a file system; skips the test if that is not permitted."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@pytest.fixture
def unmounted():
    """A list of folders to unmount after the test."""
    mounted = []
    yield mounted
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_disk(tmp_path, unmounted):
    """A file system of 400 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=400k", "tmpfs", folder)
    unmounted.append(folder)
    return folder


def fill(folder, leave):
    """Fills the file system except for `leave` bytes."""
    status = os.statvfs(folder)
    (folder / "fill").write_bytes(b"x" * max(0, status.f_bavail * status.f_bsize - leave))


def corpus(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Anna B-PER\nleft\n\n")  # is refused before TFX is needed
    return path


@pytest.mark.parametrize("leave", [0, 4_096, 16_384, 65_536])
def test_on_a_full_disk_a_run_ends_with_one_line_and_the_next_one_works(
    small_disk, tmp_path, leave
):
    settings, console = Config(workdir=str(small_disk / "work")), RunConsole(Console(quiet=True))
    fill(small_disk, leave)
    with pytest.raises((OSError, UserError, metadata_store.StoreError)) as caught:
        runs.run(runs.RunRequest(settings, str(corpus(tmp_path)), "a"), console)
    message = str(caught.value)
    assert (
        ("No space left" in message or "disk is full" in message)
        and "\n" not in message
        and "INSERT" not in message
    )
    (small_disk / "fill").unlink()
    with pytest.raises(UserError, match=r"a\.conll:2"):
        runs.run(runs.RunRequest(settings, str(corpus(tmp_path)), "a"), console)


@pytest.fixture
def read_only(history, unmounted):
    """The serving folder, read-only until `mount -o remount,rw`."""
    history.add_run()
    history.add_run()
    folder = history.workdir.serving
    mount("--bind", folder, folder)
    unmounted.append(folder)
    mount("-o", "remount,ro,bind", folder)
    return folder


@pytest.fixture
def history(tmp_path):
    return RunHistory(tmp_path)


def test_publishing_fails_in_a_read_only_folder_and_succeeds_after_a_remount(history, read_only):
    with pytest.raises(OSError, match="Read-only file system"):
        history.add_run()
    assert len(versions.versions(read_only)) == 2
    mount("-o", "remount,rw,bind", read_only)
    history.add_run()
    assert len(versions.versions(read_only)) == 3


def test_a_rollback_in_a_read_only_folder_changes_no_version_and_no_hold(
    history, read_only, tfx_ner
):
    answer = tfx_ner("models", "rollback", "--workdir", history.workdir.root)
    assert (
        answer.code == 1 and "Read-only file system" in answer.err and answer.err.count("\n") == 1
    )
    assert (
        len(versions.versions(read_only)) == 2
        and changes.load_hold(history.workdir.withdrawn) is None
    )


def test_across_file_systems_a_rollback_is_refused(history, read_only, tfx_ner):
    mount("-o", "remount,rw,bind", read_only)
    answer = tfx_ner("models", "rollback", "--workdir", history.workdir.root)
    assert answer.code == 2 and "different file systems" in answer.err
    assert changes.load_hold(history.workdir.withdrawn) is None and not list(
        read_only.glob(".partial*")
    )


def test_run_names_increase_even_if_the_clock_is_set_back(tmp_path):
    later = tmp_path / (datetime.datetime.now() + datetime.timedelta(days=400)).strftime(
        "%Y%m%d-%H%M%S-%f"
    )
    later.mkdir()
    (tmp_path / "notes").mkdir()
    first, second = runs._make_run_folder(tmp_path), runs._make_run_folder(tmp_path)
    assert later.name < first.name < second.name
