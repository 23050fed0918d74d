"""Moved and copied workdirs: rewrites the paths in ML Metadata to where the workdir is now.

ML Metadata holds absolute paths: the URIs of artifacts, and paths in the properties of artifacts,
executions and contexts. After a workdir was moved, copied, restored from a backup or mounted at another
path, they name the old place. The first command that holds the workdir's lock rewrites them. Every step
of it can be repeated, so that a command that is killed in between is completed by the next one.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_metadata import ListOptions, MetadataStore, OrderByField
from ml_metadata.proto import metadata_store_pb2

from components import atomic_io
from components.errors import UserError
from components.publishing import canary
from pipeline import metadata_store
from pipeline.history.runs import TYPE
from pipeline.workdir import Location, Workdir

Node = metadata_store_pb2.Artifact | metadata_store_pb2.Execution | metadata_store_pb2.Context
_ARTIFACT_URI = re.compile(r"(?P<root>/.+)/(?:artifacts/[^/]+/[^/]+/\d+|reports/[^/]+)")


@dataclass(frozen=True)
class Relocation:
    """What was rewritten after a workdir was found at another path."""

    previous: tuple[str, ...]  # the paths where the workdir was before, mostly one
    artifacts: int  # number of artifacts rewritten
    executions: int  # number of executions rewritten
    contexts: int  # number of contexts rewritten, the runs among them


def open_store(workdir: Workdir, connection: metadata_store_pb2.ConnectionConfig) -> MetadataStore:
    """Opens ML Metadata, and updates its paths if the workdir was moved.

    Args:
      workdir: the workdir; its lock is taken for the time of an update.
      connection: how to reach ML Metadata.

    Raises:
      UserError: the workdir was moved and another process holds it, or it is a copy that shares a
        database server with the original.
      StoreError: ML Metadata cannot be read or written.
    """
    store = metadata_store.opened(connection)
    if _needs_update(store, workdir, connection):
        with workdir.locked():
            update_paths(store, workdir, connection)
    return store


def update_paths(
    store: MetadataStore, workdir: Workdir, connection: metadata_store_pb2.ConnectionConfig
) -> Relocation | None:
    """Rewrites the paths in ML Metadata if the workdir is no longer where they say, and prints one line.

    Args:
      store: ML Metadata.
      workdir: the workdir; the caller holds its lock.
      connection: how ML Metadata was reached.

    Returns:
      What was rewritten, None if the workdir is where it was.

    Raises:
      UserError: the workdir is a copy that shares a database server with the original.
    """
    if not _needs_update(store, workdir, connection):
        return None
    root, database = str(workdir.root), metadata_store.database_of(connection)
    previous = sorted(_previous_roots(store, workdir, database) - {root})
    location = workdir.location
    if database:
        for path in previous:
            _refuse_shared_database(Path(path), workdir, database)
    relocation = _rewrite(store, previous, root) if previous else None
    config = workdir.serving.parent / canary.CONFIG
    if config.is_file():
        text = config.read_text(encoding="utf-8")
        for path in previous:
            text = replace_root(text, path, root)
        atomic_io.write_text(config, text)
    workdir.write_location(database, location.id if location else "")
    if relocation:
        print(
            f"tfx-ner: {root}: was at {', '.join(previous)} before; ML Metadata is updated"
            f" ({relocation.artifacts:,} artifacts, {relocation.executions:,} executions,"
            f" {relocation.contexts:,} contexts)",
            file=sys.stderr,
        )
    return relocation


def replace_root(text: str, old: str, new: str) -> str:
    """Replaces the path `old` by `new` wherever it is a whole path or the beginning of one.

    A path that is below `new` already is left alone, also where `new` is below `old`: a second call
    changes nothing.

    >>> replace_root('{"live": "/a/b/serving", "other": "/a/bc"}', "/a/b", "/d")
    '{"live": "/d/serving", "other": "/a/bc"}'
    >>> replace_root("/a/b/artifacts", "/a", "/a/b")
    '/a/b/artifacts'
    """
    is_below = new.startswith(f"{old}/")
    unless = f'(?!{re.escape(new[len(old) :])}(?:/|"|$))' if is_below else ""
    return re.sub(rf"(?<![\w.-]){re.escape(old)}{unless}(?=/|\"|$)", lambda _: new, text)


def _needs_update(
    store: MetadataStore, workdir: Workdir, connection: metadata_store_pb2.ConnectionConfig
) -> bool:
    """Whether the workdir's own record, or the newest records in ML Metadata, name another path."""
    location, database = workdir.location, metadata_store.database_of(connection)
    if location != Location(str(workdir.root), location.id if location else "", database):
        return True
    if database:
        return False
    newest = ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False)
    roots = _roots_of(store.get_artifacts(newest), store.get_contexts(newest))
    return not roots <= {str(workdir.root)}


def _previous_roots(store: MetadataStore, workdir: Workdir, database: str) -> set[str]:
    """The paths at which ML Metadata, or the workdir's own record, has this workdir."""
    location = workdir.location
    recorded = {location.path} if location else set()
    contexts = store.get_contexts_by_type(TYPE)
    if not database:  # the SQLite file is this workdir's alone
        return recorded | _roots_of(store.get_artifacts(), contexts)
    names = {path.name for path in workdir.runs.iterdir()} if workdir.runs.is_dir() else set()
    return recorded | _roots_of((), [context for context in contexts if context.name in names])


def _roots_of(
    artifacts: Iterable[metadata_store_pb2.Artifact], contexts: Iterable[metadata_store_pb2.Context]
) -> set[str]:
    matches = (_ARTIFACT_URI.fullmatch(artifact.uri) for artifact in artifacts)
    roots = {match["root"] for match in matches if match}
    recorded = {
        context.custom_properties["workdir"].string_value
        for context in contexts
        if context.type == TYPE
    }
    return roots | recorded - {""}


def _refuse_shared_database(previous: Path, workdir: Workdir, database: str) -> None:
    """Raises UserError if the workdir is a copy of one that still has its records in `database`."""
    if not (previous / "runs").is_dir() or previous.samefile(workdir.root):
        return
    location = workdir.location
    if location and location.database != database:
        return  # the copy has a database of its own
    raise UserError(
        f"{workdir.root}: found a copy of {previous}, whose records are in the same database, {database};"
        " expected a copy of the database for it: make one, and name it with metadata.database"
    )


def _rewrite(store: MetadataStore, previous: Sequence[str], root: str) -> Relocation:
    """Rewrites every record that holds one of the previous paths.

    Artifacts and executions change in one transaction, contexts in another: ML Metadata associates
    contexts with everything that is written in the same call.
    """
    # The longest first, so that of /a/b and /a the one that fits is taken.
    roots = sorted(previous, key=len, reverse=True)

    def changed(nodes: Iterable[Node]) -> list[Node]:
        return [node for node in nodes if _rewrite_node(node, roots, root)]

    artifacts, executions = changed(store.get_artifacts()), changed(store.get_executions())
    if artifacts or executions:
        store.put_lineage_subgraph(executions, artifacts, [], [])
    contexts = changed(store.get_contexts())
    if contexts:
        store.put_contexts(contexts)
    return Relocation(tuple(previous), len(artifacts), len(executions), len(contexts))


def _rewrite_node(node: Node, previous: Sequence[str], root: str) -> bool:
    """Rewrites the paths of one record in place; whether there were any."""
    before = node.SerializeToString(deterministic=True)
    for old in previous:
        if isinstance(node, metadata_store_pb2.Artifact):
            node.uri = replace_root(node.uri, old, root)
        for properties in (node.properties, node.custom_properties):
            for value in properties.values():
                if value.WhichOneof("value") == "string_value":
                    value.string_value = replace_root(value.string_value, old, root)
    return node.SerializeToString(deterministic=True) != before
