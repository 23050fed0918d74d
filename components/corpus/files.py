"""Lines of text files, and the clear error where a file is none."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator

from components.errors import UserError

_HEAD = 8192  # bytes looked at to tell text from anything else
COMPRESSED = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)  # how such files begin
_CONVERT = "convert the file to UTF-8, or name its encoding, as in --set encoding=cp1252"


def lines(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file, each with its line end; only LF and CR LF end a line, and a byte order mark is dropped.

    Raises UserError for a file that is missing, cannot be read, is not text, or is not in the encoding.
    """
    codec = _codec(encoding)
    try:
        with open(path, "rb") as file:
            _refuse_unless_text(path, file.read(_HEAD), codec)
        with open(path, encoding="utf-8-sig" if codec == "utf-8" else codec, newline="\n") as file:
            yield from file
    except UnicodeError as error:
        raise UserError(_undecodable(path, codec)) from error
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror or error}; expected a file that can be read"
        ) from error


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise UserError(
            f"encoding={encoding}: there is no such encoding; expected one that Python knows, as utf-8 or cp1252"
        ) from None


def _refuse_unless_text(path: str, head: bytes, codec: str) -> None:
    if codec.startswith(("utf-16", "utf-32")):
        return
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(
            f"{path}:1: found text in UTF-16; expected {codec}. Convert the file to UTF-8, or read it "
            "with --set encoding=utf-16"
        )
    if head.startswith(COMPRESSED):
        raise UserError(f"{path}: found a compressed file; expected text. Unpack it first")
    if b"\0" in head:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise UserError(
            f"{path}:{line}: found a NUL byte, so this is no text file; expected CoNLL columns or JSON Lines in {codec}"
        )


def _undecodable(path: str, codec: str) -> str:
    """The message for a file that is not in its encoding: reads it again, to say where."""
    if not codec.startswith(("utf-16", "utf-32")):  # whose line ends are not one byte
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode(codec)
                except UnicodeDecodeError as error:
                    where = (
                        f"byte 0x{line[error.start]:02X} at position {error.start + 1} of the line"
                    )
                    return f"{path}:{number}: found {where}; expected text in {codec}: {_CONVERT}"
    return f"{path}: found bytes that are not {codec}; expected text in {codec}: {_CONVERT}"


def base_name(path: str) -> str:
    """The file's name without its folders, which sentence ids begin with."""
    return os.path.basename(path)
