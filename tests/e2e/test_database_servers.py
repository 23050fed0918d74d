"""ML Metadata in a PostgreSQL or MariaDB server that the test starts on a loopback port."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.config import Metadata
from pipeline.history import cleanup, relocation, runs
from pipeline.history.verify import verify
from pipeline.workdir import Workdir
from tests.unit.history.run_history import RunHistory

pytestmark = pytest.mark.slow

TIMEOUT = 60  # seconds


def find_program(*names):
    """The path of the first program found on PATH or in Debian's PostgreSQL folder; skips the test without one."""
    folders = (
        os.environ["PATH"],
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
    )
    path = next(
        (path for name in names if (path := shutil.which(name, path=os.pathsep.join(folders)))),
        None,
    )
    if path is None:
        pytest.skip(f"{names[0]} is not installed: apt install postgresql mariadb-server")
    return path


@pytest.fixture
def folder():
    """A folder that the server's user can write to; the servers refuse to run as root."""
    path = Path(tempfile.mkdtemp(prefix="tfx-ner-database-"))
    if os.getuid() == 0:
        shutil.chown(path, "nobody")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def start_process(folder):
    """Starts programs as a user other than root, and waits for them or ends them after the test."""
    user = {"user": "nobody"} if os.getuid() == 0 else {}
    servers = []

    def start(*command, wait):
        log = (folder.parent / f"{folder.name}.log").open("ab")
        process = subprocess.Popen(
            [*map(str, command)],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            **user,
        )
        log.close()
        if wait:
            assert process.wait(TIMEOUT) == 0, Path(log.name).read_text()
        else:
            servers.append(process)
        return process

    yield start
    for server in servers:
        server.terminate()
        server.wait(TIMEOUT)
    (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


@pytest.fixture
def postgresql(start_process, folder, port):
    server, initdb = find_program("postgres"), find_program("initdb")
    start_process(initdb, "-D", folder / "data", "-U", "me", "-A", "trust", "--no-sync", wait=True)
    start_process(
        server, "-D", folder / "data", "-h", "127.0.0.1", "-p", port, "-k", folder, wait=False
    )
    wait_for_port(port)
    createdb = find_program("createdb")
    start_process(createdb, "-h", "127.0.0.1", "-p", port, "-U", "me", "tfx_ner", wait=True)
    return Metadata(kind="postgresql", port=port, user="me", password="any")


@pytest.fixture
def mysql(start_process, folder, port):
    server, install = (
        find_program("mariadbd", "mysqld"),
        find_program("mariadb-install-db", "mysql_install_db"),
    )
    base = f"--basedir={Path(install).parents[1]}"
    start_process(
        install,
        base,
        f"--datadir={folder / 'data'}",
        "--auth-root-authentication-method=normal",
        wait=True,
    )
    first = folder / "first.sql"
    first.write_text(
        "CREATE DATABASE tfx_ner;\nCREATE USER me@'127.0.0.1' IDENTIFIED BY 'hush';\nGRANT ALL ON tfx_ner.* TO me@'127.0.0.1';\n"
    )
    first.chmod(0o644)
    start_process(
        server, "--no-defaults", base, f"--datadir={folder / 'data'}", f"--socket={folder / 'socket'}", "--bind-address=127.0.0.1",
        f"--port={port}", "--skip-name-resolve", f"--init-file={first}", f"--pid-file={folder / 'pid'}", wait=False,
    )  # fmt: skip
    wait_for_port(port)
    return Metadata(kind="mysql", port=port, user="me", password="hush")


def wait_for_port(port):
    """Waits until a server accepts connections on the port."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, "the server did not come up"
            time.sleep(0.2)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_database_server_stores_the_history_as_a_file_does(request, tmp_path, kind):
    history = RunHistory(tmp_path, request.getfixturevalue(kind))
    old = history.add_run(publish=False, verdict="refused", reason="ein früher Lauf 🙂")
    history.add_run()
    assert not history.workdir.metadata.exists()
    assert [run.state for run in runs.load_runs(history.store, history.workdir)] == [
        "refused",
        "published",
    ]
    assert cleanup.prune(history.store, history.workdir, keep=1).artifacts == (old.uri,)
    assert verify(history.store, history.workdir).faults == ()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_workdirs_that_share_a_database_have_separate_histories(request, tmp_path, kind):
    settings = request.getfixturevalue(kind)
    first, second = (
        RunHistory(tmp_path / "first", settings),
        RunHistory(tmp_path / "second", settings),
    )
    first.add_run(reason="mine")
    second.count = 1
    second.add_run(reason="yours")
    assert [run.facts.reason for run in runs.load_runs(first.store, first.workdir)] == ["mine"]
    assert (
        verify(first.store, first.workdir).faults
        == verify(second.store, second.workdir).faults
        == ()
    )


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_moving_a_workdir_relocates_its_own_records_only(request, tmp_path, kind):
    settings = request.getfixturevalue(kind)
    moved, other = (
        RunHistory(tmp_path / "moved", settings),
        RunHistory(tmp_path / "other", settings),
    )
    moved.add_run()
    other.count = 1
    other.add_run()
    for history in (moved, other):
        relocation.open_store(history.workdir, history.connection)
    root = tmp_path / "new-location"
    moved.workdir.root.rename(root)
    workdir = Workdir(root, "ner")
    store = relocation.open_store(workdir, moved.connection)
    assert len(runs.load_runs(store, workdir)) == 1
    assert verify(store, workdir).faults == ()
    assert len(runs.load_runs(store, other.workdir)) == 1
    assert verify(store, other.workdir).faults == ()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_copy_of_a_workdir_cannot_open_the_records_of_the_original(request, tmp_path, kind):
    history = RunHistory(tmp_path, request.getfixturevalue(kind))
    history.add_run()
    relocation.open_store(history.workdir, history.connection)
    shutil.copytree(history.workdir.root, tmp_path / "copy")
    with pytest.raises(UserError, match="found a copy of"):
        relocation.open_store(Workdir(tmp_path / "copy", "ner"), history.connection)
    assert verify(history.store, history.workdir).faults == ()
