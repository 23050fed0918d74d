"""Running the graph: TFX's BeamDagRunner or LocalDagRunner, and where ML Metadata lives."""

import os
from typing import Literal

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.errors import UserError
from pipeline.config import Metadata
from pipeline.observe import observed
from pipeline.workdir import Workdir

_PORTS = {"mysql": 3306, "postgresql": 5432}


def connection(settings: Metadata, workdir: Workdir) -> metadata_store_pb2.ConnectionConfig:
    """How to reach ML Metadata. The password may come from the environment, as TFX_NER_METADATA_PASSWORD."""
    if settings.kind == "sqlite":
        return metadata.sqlite_metadata_connection_config(str(workdir.metadata))
    password = settings.password or os.environ.get("TFX_NER_METADATA_PASSWORD", "")
    port = settings.port or _PORTS[settings.kind]
    config = metadata_store_pb2.ConnectionConfig()
    if settings.kind == "mysql":
        server = config.mysql
        server.port, server.database = port, settings.database
    else:
        server = config.postgresql
        server.port, server.dbname = str(port), settings.database
    server.host, server.user, server.password = settings.host, settings.user, password
    return config


def check(connection_config: metadata_store_pb2.ConnectionConfig) -> None:
    """Opens ML Metadata once, which also makes its tables before anything in parallel does.

    Raises UserError where that fails.
    """
    try:
        with metadata.Metadata(connection_config) as handle:
            handle.store.get_artifact_types()
    except Exception as error:  # ml_metadata raises errors of its own, of several unrelated classes
        kind = connection_config.WhichOneof("config")
        raise UserError(
            f"metadata: cannot open the {kind} store ({str(error).splitlines()[0]}); see the keys under"
            " metadata in the configuration"
        ) from None


def execute(graph: pipeline.Pipeline, orchestrator: Literal["beam", "local"]) -> None:
    """Runs every node, in order; raises what the node raised that failed."""
    runner = BeamDagRunner() if orchestrator == "beam" else LocalDagRunner()
    with observed():
        runner.run(graph)
