"""SHA-256 digests of bytes, files and folders."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 18  # larger ones come from fresh pages each time, which cost more than reading


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: BinaryIO, target: BinaryIO) -> str:
    """Copy the rest of ``source`` to ``target``; the SHA-256 of what was read."""
    sha256 = hashlib.sha256()
    while chunk := source.read(CHUNK_BYTES):
        sha256.update(chunk)
        target.write(chunk)
    return sha256.hexdigest()


def tree_digest(files: Mapping[str, str]) -> str:
    """The digest of a folder: SHA-256 over its lines ``<path> <sha256>``, sorted by path.

    Args:
        files: Path relative to the folder → SHA-256 of the file.
    """
    lines = (f"{path} {sha256}\n" for path, sha256 in sorted(files.items()))
    return sha256_bytes("".join(lines).encode())
