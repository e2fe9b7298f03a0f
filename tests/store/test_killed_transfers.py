"""Transfers whose process is killed with -9: what was already carried is not carried again."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from voltx_core.bench.faults import Fault, FaultyProxy
from voltx_core.errors import Interrupted, StoreError
from voltx_core.store import ArtifactStore, sha256_file
from voltx_core.store.landing import part_name
from voltx_core.store.s3 import S3Store

PART = 5 << 20
THREADS = 2

TRANSFER = """
import sys
from pathlib import Path
from voltx_core.store.s3 import S3Store

door, url, endpoint, path, sha256, part_bytes, threads = sys.argv[1:]
store = S3Store(url, endpoint_url=endpoint, part_bytes=int(part_bytes), threads=int(threads))
getattr(store, door)("big", Path(path), sha256=sha256)
"""


@pytest.fixture
def remote(bucket: str, proxy: FaultyProxy) -> S3Store:
    return S3Store(f"s3://{bucket}/p", endpoint_url=proxy.url, part_bytes=PART, threads=THREADS)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of eight parts, which is four ranges of a download."""
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(8 * PART - 1000))
    return path


@pytest.fixture
def kill_after(remote: S3Store, proxy: FaultyProxy, big: Path) -> Callable[..., None]:
    """Begins a transfer in a process and kills it at its n-th request for a piece."""

    def run(door: str, path: Path, is_piece: Callable[..., bool], n: int) -> None:
        proxy.plan.delay_s = 0.3  # time to be killed in
        proxy.plan.order(Fault.DELAY, None, containing="/p/big")
        arguments = [door, remote.url, proxy.url, str(path), sha256_file(big)]
        process = subprocess.Popen(
            [sys.executable, "-c", TRANSFER, *arguments, str(PART), str(THREADS)]
        )
        deadline = time.monotonic() + 60
        while sum(map(is_piece, list(proxy.requests))) < n:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        time.sleep(2 * proxy.plan.delay_s)  # what was on its way arrives
        proxy.plan.clear()

    return run


def is_part(request) -> bool:
    return request.method == "PUT" and "partNumber" in request.path


def is_range(request) -> bool:
    return request.method == "GET" and request.path.endswith("/p/big")


def test_an_upload_killed_in_the_middle_sends_only_what_was_under_way_again(
    remote: S3Store, proxy: FaultyProxy, big: Path, kill_after, tmp_path: Path
) -> None:
    kill_after("put_file", big, is_part, 5)
    assert remote.stat("big") is None
    before = len(proxy.requests)
    remote.put_file("big", big, sha256=sha256_file(big))
    again = sum(request.sent for request in proxy.requests[before:] if is_part(request))
    arrived = 5 - THREADS
    assert again <= big.stat().st_size - arrived * PART
    remote.get_file("big", tmp_path / "back", sha256=sha256_file(big))


def test_an_upload_that_is_told_to_stop_goes_on_later_with_what_had_arrived(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    asked = 0

    def poll() -> None:
        nonlocal asked
        asked += 1
        if asked > 6:
            raise Interrupted("told to")

    with pytest.raises(Interrupted, match="told to"):
        remote.put_file("big", big, poll=poll)
    assert remote.stat("big") is None
    before = len(proxy.requests)
    remote.put_file("big", big, sha256=sha256_file(big))
    again = sum(request.sent for request in proxy.requests[before:] if is_part(request))
    assert 0 < again < big.stat().st_size - PART
    remote.get_file("big", tmp_path / "back", sha256=sha256_file(big))


def test_a_download_killed_in_the_middle_goes_on_from_what_it_had(
    remote: S3Store, proxy: FaultyProxy, big: Path, kill_after, tmp_path: Path
) -> None:
    remote.put_file("big", big)
    target = tmp_path / "there" / "big"
    kill_after("get_file", target, is_range, 4)
    assert not target.exists()
    before = len(proxy.requests)
    remote.get_file("big", target, sha256=sha256_file(big))
    again = sum(request.received or 0 for request in proxy.requests[before:] if is_range(request))
    finished = 4 - THREADS
    assert again <= big.stat().st_size - finished * 2 * PART
    assert target.read_bytes() == big.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["big"]


def test_what_a_killed_download_left_is_not_believed_without_its_digest(
    remote: S3Store, big: Path, tmp_path: Path
) -> None:
    remote.put_file("big", big)
    sha256 = sha256_file(big)
    for remains in (os.urandom(big.stat().st_size), os.urandom(100), b""):
        (tmp_path / part_name(sha256)).write_bytes(remains)
        remote.get_file("big", tmp_path / "back", sha256=sha256)
        assert (tmp_path / "back").read_bytes() == big.read_bytes()
        assert not (tmp_path / part_name(sha256)).exists()


def test_a_download_that_fails_keeps_what_it_has_for_the_next_one(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    remote.put_file("big", big)
    sha256 = sha256_file(big)
    proxy.plan.order(Fault.DELAY, 2, method="GET", containing="/p/big")  # of four ranges
    proxy.plan.order(Fault.FORBIDDEN, None, method="GET", containing="/p/big")
    with pytest.raises(StoreError, match="access is denied"):
        remote.get_file("big", tmp_path / "back", sha256=sha256)
    proxy.plan.clear()
    before = len(proxy.requests)
    remote.get_file("big", tmp_path / "back", sha256=sha256)
    again = sum(request.received or 0 for request in proxy.requests[before:] if is_range(request))
    assert again == big.stat().st_size - 4 * PART
    assert (tmp_path / "back").read_bytes() == big.read_bytes()


def test_a_download_whose_remains_another_process_uses_takes_a_file_of_its_own(
    remote: S3Store, big: Path, tmp_path: Path
) -> None:
    remote.put_file("big", big)
    sha256 = sha256_file(big)
    with (tmp_path / part_name(sha256)).open("wb") as others:
        fcntl.flock(others, fcntl.LOCK_EX)
        others.write(b"half")
        others.flush()
        remote.get_file("big", tmp_path / "back", sha256=sha256)
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    assert (tmp_path / part_name(sha256)).read_bytes() == b"half"


def test_a_folder_of_progress_goes_on_with_a_file_that_was_half_fetched(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    artifacts, folder = ArtifactStore(remote, tmp_path / "cache"), tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "state.safetensors").write_bytes(big.read_bytes())
    artifacts.save_progress("soft_core", "cafe", 1, folder)
    proxy.plan.order(Fault.DELAY, 2, method="GET", containing="state")
    proxy.plan.order(Fault.FORBIDDEN, None, method="GET", containing="state")
    with pytest.raises(StoreError, match="access is denied"):
        artifacts.fetch_progress("soft_core", "cafe", 1, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    proxy.plan.clear()
    before = len(proxy.requests)
    artifacts.fetch_progress("soft_core", "cafe", 1, tmp_path / "back")
    again = sum(r.received or 0 for r in proxy.requests[before:] if "state" in r.path)
    assert again == big.stat().st_size - 4 * PART
    (back,) = (tmp_path / "back").iterdir()
    assert back.read_bytes() == big.read_bytes()
