"""ML Metadata in a real PostgreSQL or MariaDB, started here on a loopback port in a folder of its own."""

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
from tests.unit.history.past import Past

pytestmark = pytest.mark.slow

PATIENCE = 60  # seconds


def program(*names):
    """The program, from the PATH or from where Debian keeps PostgreSQL's. Skips the test where there is none."""
    places = (
        os.environ["PATH"],
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
    )
    found = next(
        (path for name in names if (path := shutil.which(name, path=os.pathsep.join(places)))), None
    )
    if found is None:
        pytest.skip(f"{names[0]} is not installed: apt install postgresql mariadb-server")
    return found


@pytest.fixture
def folder():
    """A folder that the server's user can write; servers refuse to run as root."""
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
def started(folder):
    """Runs programs as a user who is not root: one to its end, or a server until the test ends."""
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
            assert process.wait(PATIENCE) == 0, Path(log.name).read_text()
        else:
            servers.append(process)
        return process

    yield start
    for server in servers:
        server.terminate()
        server.wait(PATIENCE)
    (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


@pytest.fixture
def postgresql(started, folder, port):
    server, initdb = program("postgres"), program("initdb")
    started(initdb, "-D", folder / "data", "-U", "me", "-A", "trust", "--no-sync", wait=True)
    started(server, "-D", folder / "data", "-h", "127.0.0.1", "-p", port, "-k", folder, wait=False)
    listening(port)
    createdb = program("createdb")
    started(createdb, "-h", "127.0.0.1", "-p", port, "-U", "me", "tfx_ner", wait=True)
    return Metadata(kind="postgresql", port=port, user="me", password="any")


@pytest.fixture
def mysql(started, folder, port):
    server, install = (
        program("mariadbd", "mysqld"),
        program("mariadb-install-db", "mysql_install_db"),
    )
    base = f"--basedir={Path(install).parents[1]}"
    started(
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
    started(
        server, "--no-defaults", base, f"--datadir={folder / 'data'}", f"--socket={folder / 'socket'}", "--bind-address=127.0.0.1",
        f"--port={port}", "--skip-name-resolve", f"--init-file={first}", f"--pid-file={folder / 'pid'}", wait=False,
    )  # fmt: skip
    listening(port)
    return Metadata(kind="mysql", port=port, user="me", password="hush")


def listening(port):
    """Waits until somebody answers there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, "the server did not come up"
            time.sleep(0.2)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_the_history_lives_in_a_database_server_as_in_a_file(request, tmp_path, kind):
    past = Past(tmp_path, request.getfixturevalue(kind))
    old = past.run(publish=False, verdict="refused", reason="ein früher Lauf 🙂")
    past.run()
    assert not past.workdir.metadata.exists()
    assert [run.state for run in runs.load_runs(past.store, past.workdir)] == [
        "refused",
        "published",
    ]
    assert cleanup.prune(past.store, past.workdir, keep=1).artifacts == (old.uri,)
    assert verify(past.store, past.workdir).faults == ()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_work_folders_that_share_a_database_have_each_their_own_history(request, tmp_path, kind):
    settings = request.getfixturevalue(kind)
    first, second = Past(tmp_path / "first", settings), Past(tmp_path / "second", settings)
    first.run(because="mine")
    second.count = 1
    second.run(because="yours")
    assert [run.facts.because for run in runs.load_runs(first.store, first.workdir)] == ["mine"]
    assert (
        verify(first.store, first.workdir).faults
        == verify(second.store, second.workdir).faults
        == ()
    )


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_workdir_that_is_moved_brings_its_records_along_and_no_others(request, tmp_path, kind):
    settings = request.getfixturevalue(kind)
    moved, other = Past(tmp_path / "moved", settings), Past(tmp_path / "other", settings)
    moved.run()
    other.count = 1
    other.run()
    for past in (moved, other):
        relocation.open_store(past.workdir, past.connection)
    root = tmp_path / "elsewhere"
    moved.workdir.root.rename(root)
    workdir = Workdir(root, "ner")
    store = relocation.open_store(workdir, moved.connection)
    assert len(runs.load_runs(store, workdir)) == 1
    assert verify(store, workdir).faults == ()
    assert len(runs.load_runs(store, other.workdir)) == 1
    assert verify(store, other.workdir).faults == ()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_copy_does_not_take_the_records_of_the_original(request, tmp_path, kind):
    past = Past(tmp_path, request.getfixturevalue(kind))
    past.run()
    relocation.open_store(past.workdir, past.connection)
    shutil.copytree(past.workdir.root, tmp_path / "copy")
    with pytest.raises(UserError, match="found a copy of"):
        relocation.open_store(Workdir(tmp_path / "copy", "ner"), past.connection)
    assert verify(past.store, past.workdir).faults == ()
