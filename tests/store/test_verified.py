"""The memory of verified files."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from voltx_core.store import sha256_bytes
from voltx_core.store.verified import VerifiedFiles

SETTLED_S = 0.05


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    time.sleep(2 * SETTLED_S)
    return path


@pytest.fixture
def memory(tmp_path: Path) -> VerifiedFiles:
    return VerifiedFiles(tmp_path / "m" / "verified.sqlite", settled_s=SETTLED_S)


def rewrite_digests(path: Path, sha256: str) -> int:
    """Put a recognisable answer into the memory; how many files it remembers."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute("UPDATE verified SET sha256 = ?", (sha256,)).rowcount


def test_an_unchanged_file_is_not_read_again(
    file: Path, memory: VerifiedFiles, tmp_path: Path
) -> None:
    assert memory.sha256(file) == sha256_bytes(b"content")
    assert rewrite_digests(tmp_path / "m" / "verified.sqlite", "remembered") == 1
    other_process = VerifiedFiles(tmp_path / "m" / "verified.sqlite", settled_s=SETTLED_S)
    assert other_process.sha256(file) == "remembered"


def test_a_file_just_written_is_not_trusted(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "verified.sqlite"
    memory = VerifiedFiles(path, settled_s=3600.0)
    assert memory.sha256(file) == sha256_bytes(b"content")
    assert rewrite_digests(path, "remembered") == 0


def test_a_change_that_keeps_size_and_time_is_noticed(file: Path, memory: VerifiedFiles) -> None:
    memory.sha256(file)
    before = file.stat()
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert memory.sha256(file) == sha256_bytes(b"CONTENT")


def test_a_damaged_memory_is_forgotten(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "verified.sqlite"
    path.write_bytes(b"this is no database" * 100)
    memory = VerifiedFiles(path, settled_s=SETTLED_S)
    assert memory.sha256(file) == sha256_bytes(b"content")
    assert memory.sha256(file) == sha256_bytes(b"content")
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_a_memory_that_cannot_be_written_only_costs_time(file: Path) -> None:
    memory = VerifiedFiles(Path("/proc/nowhere/verified.sqlite"))
    assert memory.sha256(file) == sha256_bytes(b"content")
