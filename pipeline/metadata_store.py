"""ML Metadata: where it is, and how it is opened. Does not import TFX."""

import logging
import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from components.errors import UserError
from pipeline.config import Metadata
from pipeline.workdir import Workdir

if TYPE_CHECKING:  # importing it takes longer than a command that shows help may
    from ml_metadata import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

_PORTS = {"mysql": 3306, "postgresql": 5432}
_LOCKED_ERROR = "Concurrent writes aborted"  # ML Metadata's error for a locked SQLite file
_LOCKED = "another program has locked it; try again when that has ended"
_LOCK_TIMEOUT = 10.0  # seconds to wait for a locked SQLite file; ML Metadata waits up to a minute


class StoreError(Exception):
    """ML Metadata cannot be read or written, for a reason that is not in the settings."""


def connection(settings: Metadata, workdir: Workdir) -> "ConnectionConfig":
    """How to reach ML Metadata. The environment variable TFX_NER_METADATA_PASSWORD may hold the password."""
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


def database_of(connection_config: "ConnectionConfig") -> str:
    """The database server that a connection goes to, as "mysql://HOST:PORT/NAME"; "" for SQLite."""
    kind = connection_config.WhichOneof("config")
    if kind == "sqlite":
        return ""
    server = getattr(connection_config, kind)
    name = server.database if kind == "mysql" else server.dbname
    return f"{kind}://{server.host}:{server.port}/{name}"


def opened(connection_config: "ConnectionConfig") -> "MetadataStore":
    """Opens ML Metadata, and makes its tables before several processes ask for them at once.

    Raises:
      UserError: a database server cannot be reached, or refuses the login.
      StoreError: the SQLite file is locked or damaged, or the disk is full.
    """
    import ml_metadata
    from absl import logging as absl_logging

    absl_logging.get_absl_logger().addFilter(_is_not_repeated)
    kind = connection_config.WhichOneof("config")
    if kind == "sqlite":
        _wait_until_unlocked(connection_config.sqlite.filename_uri)
    try:
        store = ml_metadata.MetadataStore(connection_config)
        store.get_artifact_types()
        return store
    except Exception as error:  # ml_metadata raises errors of several unrelated classes
        if kind != "sqlite":
            raise UserError(
                f"metadata: cannot open the {kind} store ({reason(error)}); see the keys under"
                " metadata in the configuration"
            ) from None
        raise StoreError(
            f"{connection_config.sqlite.filename_uri}: cannot open ML Metadata ({reason(error)})"
        ) from None


def reason(error: BaseException) -> str:
    """The message of an error of ML Metadata, without the SQL."""
    text = " ".join(str(error).split())
    if _LOCKED_ERROR in text:
        return _LOCKED
    match = re.search(r"Error when executing query: (.+?)\s+query:", text)
    return match.group(1) if match else text[:300]


def _wait_until_unlocked(path: str) -> None:
    """Waits until no other program has locked the SQLite file. Raises StoreError after `_LOCK_TIMEOUT`."""
    if not os.path.exists(path):
        return
    try:
        with closing(
            sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
        ) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise StoreError(f"{path}: cannot open ML Metadata ({_LOCKED})") from None
        # ML Metadata reports every other error.


def _is_not_repeated(record: logging.LogRecord) -> bool:
    """False for what ML Metadata logs before it raises the same."""
    return "after retrying" not in record.getMessage()
