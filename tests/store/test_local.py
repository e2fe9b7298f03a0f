"""What a store on a folder must survive: kills, full disks, files in the way."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voltx_core.errors import StoreError
from voltx_core.store import open_store
from voltx_core.store.local import LocalStore


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_a_full_disk_is_named_and_leaves_the_old_object(tiny_disk: Path, tmp_path: Path) -> None:
    store = LocalStore(tiny_disk / "store")
    store.put_bytes("key", b"before")
    big = tmp_path / "big"
    big.write_bytes(b"x" * 400_000)
    for attempt in (
        lambda: store.put_file("key", big),
        lambda: store.put_bytes("key", big.read_bytes()),
        lambda: store.create("new", big.read_bytes()),
    ):
        with pytest.raises(StoreError, match=r"key|new.*disk or quota is full: free some space"):
            attempt()
    assert [(found.key, found.size) for found in store.list()] == [("key", 6)]
    assert list((tiny_disk / "store" / ".voltx-scratch").iterdir()) == []
    store.put_bytes("key", b"after")
    assert store.get_bytes("key") == b"after"


def test_check_finds_a_disk_without_room_for_data(tiny_disk: Path) -> None:
    (tiny_disk / "ballast").write_bytes(b"x" * 230_000)
    with pytest.raises(StoreError, match="disk or quota is full"):
        LocalStore(tiny_disk / "store").check()


def test_a_copy_to_a_full_disk_leaves_nothing_there(tiny_disk: Path, local: LocalStore) -> None:
    local.put_bytes("big", b"x" * 400_000)
    with pytest.raises(StoreError, match=r"could not write .*/copy: No space left"):
        local.get_file("big", tiny_disk / "copy")
    assert list(tiny_disk.iterdir()) == []


def test_a_folder_on_a_read_only_file_system_is_refused_with_a_remedy(tiny_disk: Path) -> None:
    store = LocalStore(tiny_disk / "store")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(StoreError, match=r"file system is read-only.*set VOLTX_STORE"):
        store.check()


def test_a_file_in_the_way_is_named(local: LocalStore, tmp_path: Path) -> None:
    local.put_bytes("a", b"file")
    local.put_bytes("b/c", b"file in folder")
    for attempt in (
        lambda: local.put_bytes("a/b", b"x"),
        lambda: local.put_bytes("b", b"x"),
        lambda: local.create("b", b"x"),
        LocalStore(tmp_path / "store" / "a").check,
    ):
        with pytest.raises(StoreError, match="a folder is needed"):
            attempt()


WRITER = """
import sys
from pathlib import Path
from voltx_core.store import open_store
open_store(sys.argv[1]).put_file("key", Path(sys.argv[2]))
"""


def test_a_writer_killed_while_copying_leaves_no_trace(local: LocalStore, tmp_path: Path) -> None:
    local.put_bytes("key", b"before")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, local.url, str(pipe)])
    scratch = local.root / ".voltx-scratch"
    with pipe.open("wb", buffering=0) as feed:
        feed.write(b"half of it")
        for _ in range(600):
            if any(scratch.iterdir()):
                break
            time.sleep(0.05)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait(30) == -signal.SIGKILL
    (abandoned,) = scratch.iterdir()
    assert local.get_bytes("key") == b"before"
    assert [found.key for found in local.list()] == ["key"]
    os.utime(abandoned, (0, 0))  # hours later, somebody writes again
    LocalStore(local.root).put_bytes("key", b"after")
    assert list(scratch.iterdir()) == []
    assert local.get_bytes("key") == b"after"


def test_scratch_files_of_living_writers_are_left_alone(local: LocalStore) -> None:
    local.put_bytes("key", b"x")
    slow = local.root / ".voltx-scratch" / "slow"
    with slow.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.utime(slow, (0, 0))
        LocalStore(local.root).put_bytes("key", b"y")
        assert slow.exists()


def test_objects_lie_in_place_and_cannot_be_written_by_accident(local: LocalStore) -> None:
    local.put_bytes("a/b", b"x")
    path = local.local_path("a/b")
    assert path.read_bytes() == b"x"
    assert path.stat().st_mode & 0o222 == 0


def test_emptied_folders_disappear(local: LocalStore) -> None:
    local.put_bytes("a/b/c/d", b"x")
    local.put_bytes("a/e", b"x")
    local.delete("a/b/c/d")
    assert not (local.root / "a" / "b").exists()
    assert local.stat("a/e") is not None


def test_opening_a_folder_touches_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "not" / "yet"))
    assert store.stat("key") is None
    assert list(store.list()) == []
    assert list(store.folders()) == []
    assert list(tmp_path.iterdir()) == []
