"""The stores of ML Metadata: each kind, and stores that cannot be opened."""

import subprocess
import sys

import pytest

from components.errors import UserError
from pipeline import metadata_store
from pipeline.config import load
from pipeline.workdir import Workdir

HOLD = (
    "import sqlite3, sys; held = sqlite3.connect(sys.argv[1], isolation_level=None);"
    " held.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def connection(tmp_path):
    """A function that returns the connection of given settings."""

    def connect(*assignments):
        settings = load(None, [f"metadata.{assignment}" for assignment in assignments], {}).metadata
        return metadata_store.connection(settings, Workdir(tmp_path, "ner"))

    return connect


def test_the_default_store_is_a_file_in_the_workdir(connection, tmp_path):
    assert connection().sqlite.filename_uri == str(tmp_path / "metadata.sqlite")


def test_mysql_gets_its_settings(connection):
    found = connection("kind=mysql", "host=db", "database=meta", "user=me", "password=0123").mysql
    assert (found.host, found.port, found.database, found.user, found.password) == (
        "db",
        3306,
        "meta",
        "me",
        "0123",
    )


def test_postgresql_gets_its_settings(connection):
    found = connection(
        "kind=postgresql", "host=db", "port=6000", "database=meta", "user=me", "password=x"
    ).postgresql
    assert (found.host, found.port, found.dbname, found.user, found.password) == (
        "db",
        "6000",
        "meta",
        "me",
        "x",
    )
    assert connection("kind=postgresql").postgresql.port == "5432"


def test_the_password_is_read_from_the_environment(connection, monkeypatch):
    monkeypatch.setenv("TFX_NER_METADATA_PASSWORD", "hush")
    assert connection("kind=mysql").mysql.password == "hush"
    assert connection("kind=mysql", "password=mine").mysql.password == "mine"


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_an_unreachable_server_is_reported_in_one_line(connection, kind):
    with pytest.raises(UserError) as caught:
        metadata_store.opened(connection(f"kind={kind}", "port=1", "user=me", "password=hush"))
    message = str(caught.value)
    assert message.startswith(f"metadata: cannot open the {kind} store (") and "\n" not in message
    assert "hush" not in message


def test_opening_a_store_creates_its_tables(connection, tmp_path):
    metadata_store.opened(connection())
    assert (tmp_path / "metadata.sqlite").stat().st_size > 0


def test_a_file_that_is_not_a_database_is_reported_in_one_line(connection, tmp_path):
    (tmp_path / "metadata.sqlite").write_text("this is no database" * 100)
    with pytest.raises(
        metadata_store.StoreError,
        match=r"metadata\.sqlite: cannot open ML Metadata \(file is not a database\)$",
    ):
        metadata_store.opened(connection())


def test_errors_of_a_locked_or_full_database_are_reported_without_sql():
    assert "locked" in metadata_store.reason(
        RuntimeError("Concurrent writes aborted after max number of retries.")
    )
    full = "Error when executing query: database or disk is full query:  INSERT INTO `Context`(    `type_id`)"
    assert metadata_store.reason(RuntimeError(full)) == "database or disk is full"


def test_a_locked_database_is_reported_in_one_line_and_opens_after_the_lock_is_released(
    connection, tmp_path, monkeypatch
):
    monkeypatch.setattr(metadata_store, "_LOCK_TIMEOUT", 0.2)
    metadata_store.opened(connection())
    command = [sys.executable, "-c", HOLD, str(tmp_path / "metadata.sqlite")]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as holder:
        holder.stdout.readline()
        with pytest.raises(
            metadata_store.StoreError,
            match="another program has locked it; try again when that has ended",
        ):
            metadata_store.opened(connection())
        holder.communicate()
    metadata_store.opened(connection())
