"""What was verified stays verified: digests of local files, remembered between processes."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from voltx_core.store.digest import sha256_file

_CREATE = """
CREATE TABLE IF NOT EXISTS verified (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    sha256 TEXT
) WITHOUT ROWID
"""


class VerifiedFiles:
    """SHA-256 of files, computed once for each (path, size, times, inode).

    The memory is a small SQLite file that any number of processes share. Losing it costs time,
    nothing else, so every failure of it is met by hashing again.

    Args:
        path: The SQLite file; made when first needed.
        settled_s: Age a file must have to be remembered: a younger one could change again within
            the same tick of its file system's clock.
    """

    def __init__(self, path: Path, *, settled_s: float = 1.0) -> None:
        self._path, self._settled_ns = path, int(settled_s * 1e9)

    def sha256(self, path: Path) -> str:
        """Digest of the file, from memory when nothing about the file has changed.

        Raises:
            OSError: The file cannot be read.
        """
        seen = _state(path)
        with suppress(sqlite3.Error, OSError), self._memory() as memory:
            row = memory.execute(
                "SELECT size, mtime_ns, ctime_ns, inode, sha256 FROM verified WHERE path = ?",
                (str(path),),
            ).fetchone()
            if row is not None and tuple(row[:4]) == seen:
                return str(row[4])
        sha256 = sha256_file(path)
        settled = time.time_ns() - max(seen[1], seen[2]) > self._settled_ns
        if settled and _state(path) == seen:
            with suppress(sqlite3.Error, OSError), self._memory() as memory:
                _force_to_disk(path)  # or a power cut could leave the memory and not the bytes
                memory.execute(
                    "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?, ?, ?)",
                    (str(path), *seen, sha256),
                )
        return sha256

    @contextmanager
    def _memory(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=5.0)) as memory:
            try:
                memory.execute("PRAGMA synchronous = OFF")
                memory.execute(_CREATE)
                with memory:
                    yield memory
            except sqlite3.DatabaseError as error:
                if not isinstance(error, sqlite3.OperationalError):  # no database: start anew
                    self._path.unlink(missing_ok=True)
                raise


def _state(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _force_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
