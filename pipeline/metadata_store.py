"""ML Metadata: where it is, and how it is opened. Needs no TFX."""

import os
import re
import sqlite3
from contextlib import closing

from components.errors import UserError
from pipeline.config import Metadata
from pipeline.workdir import Workdir

_PORTS = {"mysql": 3306, "postgresql": 5432}
_LOCKED = (
    "Concurrent writes aborted"  # what ML Metadata says of an SQLite file that somebody else holds
)
_HELD = "another program holds it locked; try again when that has ended"
_PATIENCE = 10.0  # seconds to wait for whoever holds an SQLite file; ML Metadata itself waits up to a minute


class StoreError(Exception):
    """ML Metadata cannot be read or written, for a reason that no setting is to blame for."""


def connection(settings: Metadata, workdir: Workdir):
    """How to reach ML Metadata, as its `ConnectionConfig`. The password may come from the environment, as
    TFX_NER_METADATA_PASSWORD.
    """
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    if settings.kind == "sqlite":
        config.sqlite.filename_uri = str(workdir.metadata)
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        return config
    password = settings.password or os.environ.get("TFX_NER_METADATA_PASSWORD", "")
    port = settings.port or _PORTS[settings.kind]
    if settings.kind == "mysql":
        server = config.mysql
        server.port, server.database = port, settings.database
    else:
        server = config.postgresql
        server.port, server.dbname = str(port), settings.database
    server.host, server.user, server.password = settings.host, settings.user, password
    return config


def database_of(connection_config) -> str:
    """The database server that a connection goes to, as "mysql://HOST:PORT/NAME"; "" for SQLite."""
    kind = connection_config.WhichOneof("config")
    if kind == "sqlite":
        return ""
    server = getattr(connection_config, kind)
    name = server.database if kind == "mysql" else server.dbname
    return f"{kind}://{server.host}:{server.port}/{name}"


def opened(connection_config):
    """The `MetadataStore`; its tables are there from now on, before anything in parallel asks for them.

    Raises:
      UserError: a server cannot be reached, or does not let us in.
      StoreError: the SQLite file is locked or damaged, or the disk is full.
    """
    import ml_metadata
    from absl import logging

    logging.get_absl_logger().addFilter(_is_news)
    kind = connection_config.WhichOneof("config")
    if kind == "sqlite":
        _wait_until_free(connection_config.sqlite.filename_uri)
    try:
        store = ml_metadata.MetadataStore(connection_config)
        store.get_artifact_types()
        return store
    except Exception as error:  # ml_metadata raises errors of its own, of several unrelated classes
        if kind != "sqlite":
            raise UserError(
                f"metadata: cannot open the {kind} store ({reason(error)}); see the keys under metadata in the"
                " configuration"
            ) from None
        raise StoreError(
            f"{connection_config.sqlite.filename_uri}: cannot open ML Metadata ({reason(error)})"
        ) from None


def _wait_until_free(file: str) -> None:
    if not os.path.exists(file):
        return
    try:
        with closing(sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise StoreError(f"{file}: cannot open ML Metadata ({_HELD})") from None
        # Whatever else is wrong with it, ML Metadata tells.


def _is_news(record) -> bool:
    """False for what ML Metadata logs before it raises the same."""
    return "after retrying" not in record.getMessage()


def reason(error: BaseException) -> str:
    """What ML Metadata means, without the SQL."""
    text = " ".join(str(error).split())
    if _LOCKED in text:
        return _HELD
    told = re.search(r"Error when executing query: (.+?)\s+query:", text)
    return told.group(1) if told else text[:300]
