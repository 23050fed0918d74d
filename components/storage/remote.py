"""Files elsewhere, under addresses as s3://bucket/key: what `pathlib` is for files of this machine, as far as it is needed.

Arrow's file systems do it. Credentials and region come from the environment, as AWS's, Google's and Hadoop's own tools take
them; AWS_ENDPOINT_URL names another server that speaks S3. An object appears by one request, when it is whole.
"""

import contextlib
import io
import os
import re
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from components.errors import UserError

SCHEMES = ("s3", "gs", "hdfs")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MAGIC = re.compile(r"[*?\[]")
_BUFFER = 2**20
_PATIENCE = 20  # seconds that Google's library tries again
_ABSENT = ("NO_SUCH_BUCKET", "NO_SUCH_KEY", "NoSuchBucket", "not found", "does not exist")


class StorageError(Exception):
    """Storage elsewhere cannot be reached, or does not let us in."""


def is_address(path: Any) -> bool:
    """Whether the path has a scheme, as `s3://bucket/key`."""
    return bool(_ADDRESS.match(os.fspath(path)))


def is_remote(path: Any) -> bool:
    """Whether the path is on storage that can be read here. Raises UserError for an address that cannot."""
    found = _ADDRESS.match(os.fspath(path))
    if found and found[1].lower() not in SCHEMES:
        raise UserError(
            f"{path}: cannot read {found[0]}; expected a path of this machine, or s3://, gs:// or hdfs://"
        )
    return bool(found)


def refuse_address(option: str, path: Any, instead: str) -> None:
    """Raises UserError for an address where only a path of this machine will do; `instead` says what to do."""
    if path is not None and is_address(path):
        raise UserError(
            f"{option} {path}: found an address; expected a path of this machine. {instead}"
        )


@dataclass(frozen=True, order=True)
class Remote:
    """A file or folder elsewhere, by its address. Its methods do what those of `pathlib.Path` of the same names do.

    They raise UserError where bucket or file are not there, and StorageError where storage cannot be reached.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> "Remote":
        return Remote(f"{self.address.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        return self.address.rstrip("/").rpartition("/")[2]

    def exists(self) -> bool:
        return self._kind() != "NotFound"

    def is_file(self) -> bool:
        return self._kind() == "File"

    def is_dir(self) -> bool:
        return self._kind() == "Directory"

    def iterdir(self) -> Iterator["Remote"]:
        return (place for place, _ in self.listing(recursive=False))

    def read_text(self, encoding: str = "utf-8") -> str:
        with self.open() as file:
            return file.read().decode(encoding)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "text"
            file.write_text(text, encoding=encoding)
            self.put(file)

    def unlink(self, missing_ok: bool = False) -> None:
        if missing_ok and not self.exists():
            return
        with _told(self.address):
            self._system.delete_file(self._path)

    def listing(self, recursive: bool = True) -> list[tuple["Remote", Any]]:
        """What is in a folder, by name, each with Arrow's `FileInfo`, folders in it only if not `recursive`.

        Empty if it is not there.
        """
        from pyarrow import fs

        with _told(self.address):
            found = self._system.get_file_info(
                fs.FileSelector(self._path, allow_not_found=True, recursive=recursive)
            )
        scheme = self.address.partition("://")[0]
        host = self._parts[1] if scheme == "hdfs" else ""
        kept = [
            one
            for one in found
            if one.path.rstrip("/") != self._path and (one.is_file or not recursive)
        ]
        return sorted((Remote(f"{scheme}://{host}{one.path}"), one) for one in kept)

    def info(self) -> Any:
        """Arrow's `FileInfo`."""
        with _told(self.address):
            return self._system.get_file_info(self._path)

    def open(self) -> IO[bytes]:
        """The file, to read from any place."""
        with _told(self.address):
            return io.BufferedReader(
                _Raw(self._system.open_input_file(self._path), self.address), _BUFFER
            )

    def put(self, file: str | Path) -> None:
        """Copies a file of this machine there; it appears when it is whole."""
        from pyarrow import fs

        here = fs.LocalFileSystem()
        # What HDFS shows grows while it is written; an object appears with the last byte.
        renamed = self.address.startswith("hdfs")
        target = f"{self._path}.partial" if renamed else self._path
        with _told(self.address):
            if renamed:
                self._system.create_dir(target.rpartition("/")[0])
            fs.copy_files(
                os.fspath(file), target, source_filesystem=here, destination_filesystem=self._system
            )
            if renamed:
                self._system.move(target, self._path)

    def fetch(self, file: Path) -> None:
        """Copies it to a file of this machine, which need not be whole if this fails."""
        with self.open() as source, file.open("wb") as target:
            while block := source.read(_BUFFER):
                target.write(block)

    def _kind(self) -> str:
        return self.info().type.name

    @property
    def _system(self) -> Any:
        return _system(*self._parts[:2])

    @property
    def _path(self) -> str:
        """The path as Arrow has it: with the bucket before it, or on HDFS from the root on."""
        scheme, place, key = self._parts
        return (f"/{key}" if scheme == "hdfs" else f"{place}/{key}").rstrip("/")

    @property
    def _parts(self) -> tuple[str, str, str]:
        scheme, _, rest = self.address.partition("://")
        place, _, key = rest.partition("/")
        if not place:
            raise UserError(
                f"{self.address}: found no bucket or host; expected one, as {scheme}://bucket/folder"
            )
        return scheme.lower(), place, key.strip("/")


def place(path: Any) -> Path | Remote:
    """A path of this machine, or an address."""
    return Remote(os.fspath(path)) if is_remote(path) else Path(path)


def opened(path: str) -> IO[bytes]:
    """A file here or elsewhere, to read from any place."""
    return Remote(path).open() if is_remote(path) else open(path, "rb")


def find(pattern: str) -> list[str]:
    """The addresses of the files that a pattern, a folder or a name means, by name; ** goes into folders.

    Hidden ones, and those named `_…`, only by their full name.
    """
    named = Remote(pattern)
    if named.is_file():  # a name may hold what else is a pattern
        return [pattern]
    if not _MAGIC.search(pattern):
        pattern = f"{pattern.rstrip('/')}/*"
    whole = re.compile(_as_regex(pattern))
    fixed = pattern[: _MAGIC.search(pattern).start()].rpartition("/")[0]
    found = (place for place, _ in Remote(fixed).listing())
    return [
        place.address
        for place in found
        if whole.fullmatch(place.address) and place.name[0] not in "_."
    ]


def _as_regex(pattern: str) -> str:
    """A pattern as `glob` has it, as a regular expression.

    >>> _as_regex("s3://b/**/*.txt")
    's3://b/(?:[^/]+/)*[^/]*\\\\.txt'
    """
    marks = {"**/": "(?:[^/]+/)*", "**": "[^/]*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]]+\])", pattern)
    return "".join(
        marks.get(piece)
        or (piece.replace("[!", "[^") if piece.startswith("[") else re.escape(piece))
        for piece in pieces
    )


class _Raw(io.RawIOBase):
    """Arrow's file for `io.BufferedReader`, which tells errors as `_told` does."""

    def __init__(self, file: Any, address: str):
        super().__init__()
        self._file, self._address = file, address

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        with _told(self._address):
            found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@cache
def _system(scheme: str, place: str) -> Any:
    from pyarrow import fs

    address = f"{scheme}://{place}"
    query: dict[str, Any] = {}
    if scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if endpoint:
            found = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
            query = {"endpoint_override": found.netloc, "scheme": found.scheme}
        query |= {"region": region} if region else {}
    elif scheme == "gs":
        query = {"retry_limit_seconds": _PATIENCE}
    with _told(address):
        return fs.FileSystem.from_uri(
            f"{address}{'?' if query else ''}{urllib.parse.urlencode(query)}"
        )[0]


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """Tells what Arrow raises in one line."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{address}: no such file; expected one that is there") from None
    except (OSError, ValueError, ImportError) as error:
        said = " ".join(str(error).split())
        if any(absent in said for absent in _ABSENT):
            raise UserError(
                f"{address}: not there ({said}); expected a bucket and a file that are"
            ) from None
        hint = "; HDFS needs Java and Hadoop's libhdfs" if address.startswith("hdfs") else ""
        raise StorageError(f"{address}: cannot be reached ({said}){hint}") from None
