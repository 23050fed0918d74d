"""Remote files by address, as s3://bucket/key, with methods of `pathlib.Path`, by Arrow.

Credentials and regions come from the environment variables of the tools of AWS, Google and Hadoop;
AWS_ENDPOINT_URL names another server that speaks S3. A file appears by one request when it is
complete.
"""

import contextlib
import functools
import io
import os
import re
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from components.errors import UserError

SCHEMES = ("s3", "gs", "hdfs")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_GLOB_CHARACTER = re.compile(r"[*?\[]")
_BUFFER_BYTES = 2**20
_GCS_RETRY_SECONDS = 20
# How Arrow's messages say that a bucket or an object is missing.
_MISSING = ("NO_SUCH_BUCKET", "NO_SUCH_KEY", "NoSuchBucket", "not found", "does not exist")


class StorageError(Exception):
    """Remote storage cannot be reached, or denies access."""


def is_address(path: Any) -> bool:
    """Whether the path has a scheme, as `s3://bucket/key`."""
    return bool(_ADDRESS.match(os.fspath(path)))


def is_remote(path: Any) -> bool:
    """Whether the path is an address on supported storage. Raises UserError for another scheme."""
    match = _ADDRESS.match(os.fspath(path))
    if match and match[1].lower() not in SCHEMES:
        raise UserError(
            f"{path}: cannot read {match[0]}; expected a path of this machine, or s3://, gs:// or"
            " hdfs://"
        )
    return bool(match)


def refuse_address(option: str, path: Any, remedy: str) -> None:
    """Raises UserError for an address where a path of this machine is needed.

    Args:
      option: What the user gave the path for.
      path: The path; None is accepted.
      remedy: What to do instead.
    """
    if path is not None and is_address(path):
        raise UserError(
            f"{option} {path}: found an address; expected a path of this machine. {remedy}"
        )


@dataclass(frozen=True, order=True)
class Remote:
    """A remote file or folder. Methods with a name of `pathlib.Path` do the same.

    They raise UserError if the bucket or file is missing, and StorageError if storage cannot be
    reached.
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
        return self._type_name() != "NotFound"

    def is_file(self) -> bool:
        return self._type_name() == "File"

    def is_dir(self) -> bool:
        return self._type_name() == "Directory"

    def iterdir(self) -> Iterator["Remote"]:
        return (entry for entry, _ in self.listing(recursive=False))

    def read_text(self, encoding: str = "utf-8") -> str:
        with self.open() as file:
            return file.read().decode(encoding)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "text"
            file.write_text(text, encoding=encoding)
            self.upload(file)

    def unlink(self, missing_ok: bool = False) -> None:
        if missing_ok and not self.exists():
            return
        with _errors_of(self.address):
            self._file_system.delete_file(self._path)

    def listing(self, recursive: bool = True) -> list[tuple["Remote", Any]]:
        """The entries of a folder with their Arrow `FileInfo`, sorted; empty if it does not exist.

        Args:
          recursive: List all files below the folder, without the folders; else its direct entries.
        """
        from pyarrow import fs

        with _errors_of(self.address):
            entries = self._file_system.get_file_info(
                fs.FileSelector(self._path, allow_not_found=True, recursive=recursive)
            )
        scheme = self.address.partition("://")[0]
        host = self._parts[1] if scheme == "hdfs" else ""
        return sorted(
            (Remote(f"{scheme}://{host}{entry.path}"), entry)
            for entry in entries
            if entry.path.rstrip("/") != self._path and (entry.is_file or not recursive)
        )

    def info(self) -> Any:
        """Arrow's `FileInfo`."""
        with _errors_of(self.address):
            return self._file_system.get_file_info(self._path)

    def open(self) -> IO[bytes]:
        """Opens the file for reading; it can seek."""
        with _errors_of(self.address):
            file = self._file_system.open_input_file(self._path)
            return io.BufferedReader(_RawFile(file, self.address), _BUFFER_BYTES)

    def upload(self, file: str | Path) -> None:
        """Copies a local file to this address, where it appears when it is complete."""
        from pyarrow import fs

        # HDFS shows a file while it is written; an object store shows it when it is complete.
        rename = self.address.startswith("hdfs")
        target = f"{self._path}.partial" if rename else self._path
        with _errors_of(self.address):
            if rename:
                self._file_system.create_dir(target.rpartition("/")[0])
            fs.copy_files(
                os.fspath(file),
                target,
                source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=self._file_system,
            )
            if rename:
                self._file_system.move(target, self._path)

    def download(self, file: Path) -> None:
        """Copies the file to a local one, which may be incomplete if this fails."""
        with self.open() as source, file.open("wb") as target:
            while block := source.read(_BUFFER_BYTES):
                target.write(block)

    def _type_name(self) -> str:
        return self.info().type.name

    @property
    def _file_system(self) -> Any:
        return _file_system(*self._parts[:2])

    @property
    def _path(self) -> str:
        """The path for Arrow: bucket/key, or on HDFS an absolute path."""
        scheme, host, key = self._parts
        return (f"/{key}" if scheme == "hdfs" else f"{host}/{key}").rstrip("/")

    @property
    def _parts(self) -> tuple[str, str, str]:
        """Scheme, bucket or host, and key."""
        scheme, _, rest = self.address.partition("://")
        host, _, key = rest.partition("/")
        if not host:
            raise UserError(
                f"{self.address}: found no bucket or host; expected {scheme}://bucket/folder"
            )
        return scheme.lower(), host, key.strip("/")


def as_path(path: Any) -> Path | Remote:
    """A local path as `Path`, an address as `Remote`."""
    return Remote(os.fspath(path)) if is_remote(path) else Path(path)


def open_binary(path: str) -> IO[bytes]:
    """Opens a local or remote file for reading."""
    return Remote(path).open() if is_remote(path) else open(path, "rb")


def find_files(pattern: str) -> list[str]:
    """The addresses of the files of a pattern, a folder or an address, sorted; ** enters folders.

    Names that begin with `.` or `_` are skipped unless the address names the file itself.
    """
    if Remote(pattern).is_file():  # a name may contain characters of a pattern
        return [pattern]
    if not _GLOB_CHARACTER.search(pattern):
        pattern = f"{pattern.rstrip('/')}/*"
    expression = re.compile(_glob_to_regex(pattern))
    folder = _GLOB_CHARACTER.split(pattern)[0].rpartition("/")[0]
    return [
        entry.address
        for entry, _ in Remote(folder).listing()
        if expression.fullmatch(entry.address) and entry.name[0] not in "_."
    ]


def _glob_to_regex(pattern: str) -> str:
    """Translates a pattern of `glob` to a regular expression.

    >>> _glob_to_regex("s3://b/**/*.txt")
    's3://b/(?:[^/]+/)*[^/]*\\\\.txt'
    """
    wildcards = {"**/": "(?:[^/]+/)*", "**": "[^/]*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]]+\])", pattern)
    return "".join(
        wildcards.get(piece)
        or (piece.replace("[!", "[^") if piece.startswith("[") else re.escape(piece))
        for piece in pieces
    )


class _RawFile(io.RawIOBase):
    """An Arrow file for `io.BufferedReader`, with the errors of `_errors_of`."""

    def __init__(self, file: Any, address: str) -> None:
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
        with _errors_of(self._address):
            block = self._file.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@functools.cache
def _file_system(scheme: str, host: str) -> Any:
    from pyarrow import fs

    address = f"{scheme}://{host}"
    query: dict[str, Any] = {}
    if scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if endpoint:
            url = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
            query = {"endpoint_override": url.netloc, "scheme": url.scheme}
        query |= {"region": region} if region else {}
    elif scheme == "gs":
        query = {"retry_limit_seconds": _GCS_RETRY_SECONDS}
    with _errors_of(address):
        return fs.FileSystem.from_uri(
            f"{address}{'?' if query else ''}{urllib.parse.urlencode(query)}"
        )[0]


@contextlib.contextmanager
def _errors_of(address: str) -> Iterator[None]:
    """Turns Arrow's errors into UserError and StorageError with one line."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{address}: no such file; expected an existing file") from None
    except (OSError, ValueError, ImportError) as error:
        message = " ".join(str(error).split())
        if any(words in message for words in _MISSING):
            raise UserError(
                f"{address}: missing ({message}); expected an existing bucket and file"
            ) from None
        hint = "; HDFS needs Java and Hadoop's libhdfs" if address.startswith("hdfs") else ""
        raise StorageError(f"{address}: cannot be reached ({message}){hint}") from None
