"""Lines of text files, plain or compressed, and the clear error where a file is not text."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from typing import IO

from components.errors import UserError

_CHECKED_BYTES = 8192  # from which text is distinguished from binary files
_SAMPLE_BYTES = 1 << 20  # from which a format is detected
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_ARCHIVES = (b"PK\x03\x04", b"\x28\xb5\x2f\xfd")
COMPRESSED = (*_OPENERS, *_ARCHIVES)  # first bytes of compressed files
JSON_ENDINGS = ("jsonl", "ndjson", "jsonlines", "json")
_UNPACKING_ERRORS = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def open_binary(path: str) -> IO[bytes]:
    """The bytes of a file, unpacked if it is compressed by gzip, bzip2 or xz (by its content, not its name)."""
    with open(path, "rb") as file:
        head = file.read(8)
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return opener(path, "rb")
    return open(path, "rb")


def read_head(path: str, size: int = _SAMPLE_BYTES) -> bytes:
    """The first bytes of a file, unpacked if it is compressed. Raises UserError where it cannot be read."""
    try:
        with open_binary(path) as file:
            return file.read(size)
    except (OSError, *_UNPACKING_ERRORS) as error:
        raise UserError(_unreadable(path, error)) from error


def lines(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file, each with its line end; only LF and CR LF end a line, and a byte order mark is dropped.

    Raises UserError as `open_text` does.
    """
    with open_text(path, encoding) as file:
        yield from file


@contextlib.contextmanager
def open_text(path: str, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Opens a file as text, with its line ends as they are.

    Raises:
      UserError: the file is missing, cannot be read, is not text, or is not in the encoding, also where that is found
        while the file is read.
    """
    codec = codec_name(encoding)
    try:
        with open_binary(path) as file:
            _refuse_unless_text(path, file.read(_CHECKED_BYTES), codec)
        codec_to_read = "utf-8-sig" if codec == "utf-8" else codec
        with io.TextIOWrapper(open_binary(path), encoding=codec_to_read, newline="\n") as text:
            yield text
    except UnicodeError as error:
        raise UserError(_undecodable(path, codec)) from error
    except (OSError, *_UNPACKING_ERRORS) as error:
        raise UserError(_unreadable(path, error)) from error


def content_hash(path: str) -> str:
    """A hash of the bytes of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def codec_name(encoding: str) -> str:
    """Python's name of an encoding. Raises UserError for an unknown encoding."""
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise UserError(
            f"encoding={encoding}: found an unknown encoding; expected an encoding that Python knows, such as utf-8 or cp1252"
        ) from None


def _unreadable(path: str, error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        return f"{path}: {error.strerror or error}; expected a file that can be read"
    return (
        f"{path}: found a damaged compressed file ({error}); expected a file that can be unpacked"
    )


def _refuse_unless_text(path: str, head: bytes, codec: str) -> None:
    if codec.startswith(("utf-16", "utf-32")):
        return
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(
            f"{path}:1: found text in UTF-16; expected {codec}. Convert the file to UTF-8, or read it "
            "with --set encoding=utf-16"
        )
    if head.startswith(_ARCHIVES):
        raise UserError(f"{path}: found a compressed file; expected text. Unpack it first")
    if b"\0" in head:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise UserError(
            f"{path}:{line}: found a NUL byte, so this is not a text file; expected a corpus as text in {codec}"
        )


def _undecodable(path: str, codec: str) -> str:
    """The message for a file that is not in its encoding: the first bad byte, the likely cause and the remedy.

    Reads the file again.
    """
    if codec.startswith(("utf-16", "utf-32")):  # whose line ends are not one byte
        return f"{path}: found bytes that are not {codec}; expected text in {codec}"
    first, bad_lines, good_lines, surrogates = "", 0, 0, False
    with open_binary(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(codec)
                good_lines += not line.isascii()
            except UnicodeDecodeError as error:
                bad_lines += 1
                if not first:
                    start = error.start
                    first = f"{path}:{number}: found byte 0x{line[start]:02X} at position {start + 1} of the line"
                    surrogates = line[start] == 0xED and line[start + 1 : start + 2] >= b"\xa0"
    first = first or f"{path}: found bytes that are not {codec}"
    if codec == "utf-8" and surrogates:
        return (
            f"{first}, half of a surrogate pair (CESU-8, as some Java and database tools write); expected text in utf-8."
            " Write the file again with a tool that writes UTF-8"
        )
    if codec == "utf-8" and good_lines > bad_lines:
        return (
            f"{first}; expected text in utf-8, as {good_lines} lines beyond ASCII are ({bad_lines} are not)."
            " Correct these lines"
        )
    return (
        f"{first}; expected text in {codec}: convert the file to UTF-8, or name its encoding, as in"
        " --set encoding=cp1252"
    )


def base_name(path: str) -> str:
    """The file's name without its folders, which sentence ids begin with."""
    return os.path.basename(path)


def ending_of(path: str) -> str:
    """The ending of a file's name in lower case, without that of its compression.

    >>> ending_of("a/TRAIN.Conll.gz"), ending_of("a.b/train")
    ('conll', '')
    """
    parts = os.path.basename(path).lower().split(".")
    while len(parts) > 2 and parts[-1] in ("gz", "bz2", "xz"):
        parts.pop()
    return parts[-1] if len(parts) > 1 else ""
