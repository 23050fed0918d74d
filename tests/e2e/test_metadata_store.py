"""Where ML Metadata lives: each kind of store, and one that cannot be reached."""

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def orchestrators():
    from pipeline import orchestrators

    return orchestrators


@pytest.fixture
def connection(orchestrators, tmp_path):
    """The connection that settings make."""
    from pipeline.config import load
    from pipeline.workdir import Workdir

    def connect(*assignments):
        settings = load(None, [f"metadata.{assignment}" for assignment in assignments], {}).metadata
        return orchestrators.connection(settings, Workdir(tmp_path, "ner"))

    return connect


def test_by_default_it_is_a_file_in_the_workdir(connection, tmp_path):
    assert connection().sqlite.filename_uri == str(tmp_path / "metadata.sqlite")


def test_mysql_gets_its_settings(connection):
    found = connection("kind=mysql", "host=db", "database=meta", "user=me", "password=0123").mysql
    assert (found.host, found.port, found.database, found.user, found.password) == ("db", 3306, "meta", "me", "0123")


def test_postgresql_gets_its_settings(connection):
    found = connection("kind=postgresql", "host=db", "port=6000", "database=meta", "user=me", "password=x").postgresql
    assert (found.host, found.port, found.dbname, found.user, found.password) == ("db", "6000", "meta", "me", "x")
    assert connection("kind=postgresql").postgresql.port == "5432"


def test_the_password_may_come_from_the_environment(connection, monkeypatch):
    monkeypatch.setenv("TFX_NER_METADATA_PASSWORD", "hush")
    assert connection("kind=mysql").mysql.password == "hush"
    assert connection("kind=mysql", "password=mine").mysql.password == "mine"


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_store_that_cannot_be_reached_is_one_clear_line(orchestrators, connection, kind):
    from components.errors import UserError

    with pytest.raises(UserError) as caught:
        orchestrators.check(connection(f"kind={kind}", "port=1", "user=me", "password=hush"))
    message = str(caught.value)
    assert message.startswith(f"metadata: cannot open the {kind} store (") and "\n" not in message
    assert "hush" not in message


def test_a_store_that_opens_has_its_tables(orchestrators, connection, tmp_path):
    orchestrators.check(connection())
    assert (tmp_path / "metadata.sqlite").stat().st_size > 0
