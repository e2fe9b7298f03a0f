"""The identity of data that lies outside the store: files and folders that settings name."""

import hashlib
import os
from pathlib import Path

from voltx_core.errors import DataError
from voltx_core.store.digest import sha256_file

MIB = 2**20


def digest_of(location: Path, *, named_by: str) -> str:
    """sha256 over a file's bytes, or over names, sizes, first and last MiB of a folder's files.

    Reading all of a corpus of 100 GB on every plan would take minutes.

    Args:
        location: The file or folder.
        named_by: What the user gave it with, such as "data.corpus".

    Raises:
        DataError: Nothing is there.
    """
    if location.is_file():
        return sha256_file(location)
    if not location.is_dir():
        raise DataError(f"{location} does not exist. Check {named_by}, which names it.")
    lines = sorted(
        f"{path.relative_to(location)} {path.stat().st_size} {_ends(path)}"
        for path in location.rglob("*")
        if path.is_file()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _ends(path: Path) -> str:
    """sha256 of a file's first and last MiB."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(MIB))
        if path.stat().st_size > MIB:
            file.seek(-MIB, os.SEEK_END)
            digest.update(file.read(MIB))
    return digest.hexdigest()
