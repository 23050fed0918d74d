"""A hash of a corpus's content: the same wherever it lies."""

import hashlib

from components.corpus.files import base_name
from components.corpus.find import Splits


def fingerprint(splits: Splits) -> str:
    """A hash of the files' content by split, in order, and of the numbers and versions of the spans."""
    digest = hashlib.sha256()
    for span in splits.spans:
        digest.update(f"{span}\n".encode())
    for split, files in sorted(splits.files.items()):
        for file in files:
            digest.update(f"{split} {base_name(file)} {content_hash(file)}\n".encode())
    return digest.hexdigest()


def content_hash(file: str) -> str:
    """A hash of what is in a file."""
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        for block in iter(lambda: content.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
