"""What S3 servers and the network before them do wrong, and what becomes of it."""

import logging
import os
import socket
from pathlib import Path

import pytest

from voltx_core.bench.faults import Fault, FaultyProxy, Request
from voltx_core.errors import StoreError
from voltx_core.store import CorruptObjectError, open_store, sha256_bytes
from voltx_core.store.s3 import S3Store

PART = 5 << 20


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three parts, the last one short, no two alike."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    path.write_bytes(b"".join(bytes([n]) * PART for n in range(2)) + os.urandom(1 << 20))
    return path


def parts_sent(proxy: FaultyProxy) -> list[Request]:
    return [r for r in proxy.requests if r.method == "PUT" and "partNumber" in r.path]


def gets(proxy: FaultyProxy, path: str) -> list[Request]:
    return [r for r in proxy.requests if r.method == "GET" and r.path.endswith(path)]


def test_a_large_file_travels_in_parts(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    digest = sha256_bytes(big.read_bytes())
    info = remote.put_file("big", big)
    assert (info.size, info.sha256) == (big.stat().st_size, digest)
    assert remote.stat("big") == info
    remote.get_file("big", tmp_path / "back", sha256=digest)
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    assert len(parts_sent(proxy)) == 3
    assert len(gets(proxy, "/p/big")) == 2


def test_a_broken_off_upload_goes_on_where_it_stopped(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    proxy.plan.order(Fault.FORBIDDEN, None, containing="partNumber=3")
    with pytest.raises(StoreError, match="access is denied"):
        remote.put_file("big", big)
    assert remote.stat("big") is None
    assert list(remote.list()) == []

    proxy.plan.clear()
    proxy.requests.clear()
    remote.put_file("big", big)
    (sent,) = parts_sent(proxy)
    assert "partNumber=3" in sent.path
    remote.get_file("big", tmp_path / "back", sha256=sha256_bytes(big.read_bytes()))


def test_another_file_does_not_inherit_parts_of_a_broken_off_upload(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    proxy.plan.order(Fault.FORBIDDEN, None, containing="partNumber=3")
    with pytest.raises(StoreError):
        remote.put_file("big", big)
    proxy.plan.clear()
    other = tmp_path / "other"
    other.write_bytes(big.read_bytes()[:PART] + b"\xff" * (PART + 100))
    digest = sha256_bytes(other.read_bytes())
    remote.put_file("big", other)
    found = remote.stat("big")
    assert found is not None
    assert found.sha256 == digest
    remote.get_file("big", tmp_path / "back", sha256=digest)


def test_a_large_file_that_changed_is_not_stored(remote: S3Store, big: Path) -> None:
    with pytest.raises(CorruptObjectError, match="changed while it was being stored"):
        remote.put_file("big", big, sha256="0" * 64)
    assert remote.stat("big") is None


def test_reads_that_break_off_are_tried_again(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    remote.put_bytes("small", b"some bytes")
    remote.put_file("big", big)
    proxy.plan.order(Fault.CUT_DOWNLOAD, 2, containing="/p/")
    assert remote.get_bytes("small") == b"some bytes"
    proxy.plan.order(Fault.CUT_DOWNLOAD, 2, containing="/p/")
    remote.get_file("big", tmp_path / "back", sha256=sha256_bytes(big.read_bytes()))
    assert proxy.plan.outstanding() == 0


def test_a_read_damaged_on_the_way_is_read_again(
    remote: S3Store, proxy: FaultyProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remote.put_bytes("key", b"some bytes")
    proxy.plan.order(Fault.FLIPPED_DOWNLOAD, 1, containing="/p/")
    assert remote.get_bytes("key") == b"some bytes"
    proxy.plan.order(Fault.FLIPPED_DOWNLOAD, 1, containing="/p/")
    remote.get_file("key", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"some bytes"
    assert caplog.text.count("arrived damaged") == 2


def test_an_object_that_stays_damaged_is_an_error(
    remote: S3Store, proxy: FaultyProxy, tmp_path: Path
) -> None:
    remote.put_bytes("key", b"some bytes")
    proxy.plan.order(Fault.FLIPPED_DOWNLOAD, 100, containing="/p/")
    with pytest.raises(CorruptObjectError, match="stored object is damaged"):
        remote.get_bytes("key")
    with pytest.raises(CorruptObjectError, match="stored object is damaged"):
        remote.get_file("key", tmp_path / "back")
    assert list(tmp_path.glob("*back*")) == []
    assert list(tmp_path.glob(".*part")) == []


def test_another_object_than_the_wanted_one_is_not_downloaded(
    remote: S3Store, proxy: FaultyProxy, tmp_path: Path
) -> None:
    remote.put_bytes("key", b"some bytes")
    with pytest.raises(CorruptObjectError):
        remote.get_file("key", tmp_path / "back", sha256="0" * 64)
    assert not gets(proxy, "")


def test_a_server_that_ignores_ranges_is_refused(
    remote: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path
) -> None:
    remote.put_file("big", big)
    proxy.plan.order(Fault.IGNORED_RANGE, None)
    with pytest.raises(StoreError, match="ignores Range"):
        remote.get_file("big", tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


def test_writes_are_read_back_where_etags_are_no_digests(
    remote: S3Store, proxy: FaultyProxy
) -> None:
    proxy.plan.order(Fault.ODD_ETAG, None)
    remote.put_bytes("key", b"some bytes")
    assert gets(proxy, f"/{remote.bucket}/p/key")


def test_a_busy_server_is_asked_again(remote: S3Store, proxy: FaultyProxy) -> None:
    proxy.plan.order(Fault.SLOW_DOWN, 2, containing="/p/")
    remote.put_bytes("key", b"x")
    assert remote.get_bytes("key") == b"x"


def test_a_create_whose_answer_was_lost_knows_its_own_object(
    remote: S3Store, proxy: FaultyProxy
) -> None:
    remote.check()
    proxy.plan.order(Fault.LOST_ANSWER, method="PUT", containing="/key")
    assert remote.create("key", b"mine")
    assert proxy.plan.outstanding() == 0
    assert not remote.create("key", b"other")


def test_without_conditional_puts_create_checks_first_and_warns_once(
    remote: S3Store, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.plan.order(Fault.IGNORED_CONDITION, None, method="PUT")
    with caplog.at_level(logging.WARNING):
        assert remote.create("key", b"first")
        assert not remote.create("key", b"second")
        assert remote.create("other", b"first")
    assert remote.get_bytes("key") == b"first"
    assert caplog.text.count("ignores If-None-Match") == 1
    assert [found.key for found in remote.list()] == ["key", "other"]


def test_more_objects_than_a_page_holds_are_listed_and_deleted(bucket: str, s3_server: str) -> None:
    names = [f"many/{number}" for number in range(8)]
    store = S3Store(f"s3://{bucket}", endpoint_url=s3_server, page_keys=3)
    for name in [*names, "other"]:
        store.put_bytes(name, b"x")
    assert [found.key for found in store.list("many/")] == names
    assert store.delete_prefix("many") == len(names)
    assert [found.key for found in store.list()] == ["other"]


def test_stores_of_one_bucket_do_not_see_each_other(bucket: str, s3_server: str) -> None:
    one, two = (open_store(f"s3://{bucket}/{name}", endpoint_url=s3_server) for name in "ab")
    one.put_bytes("key", b"1")
    assert list(two.list()) == []
    assert two.stat("key") is None


def test_an_unreachable_endpoint_is_named_with_a_remedy() -> None:
    with socket.socket() as silent:  # bound and not listening: connections are refused
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = open_store("s3://bucket/p", endpoint_url=url)
        with pytest.raises(StoreError, match=rf"endpoint {url} cannot be reached.*VOLTX_S3"):
            store.check()


def test_a_missing_bucket_is_named_with_a_remedy(s3_server: str) -> None:
    with pytest.raises(StoreError, match=r"no bucket 'nosuchbucket'.*aws s3 mb"):
        open_store("s3://nosuchbucket/p", endpoint_url=s3_server).check()


def test_missing_credentials_are_named_with_a_remedy(
    bucket: str, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match=r"no S3 credentials were found.*AWS_ACCESS_KEY_ID"):
        open_store(f"s3://{bucket}", endpoint_url=s3_server).check()


def test_a_target_that_cannot_be_written_is_not_blamed_on_the_bucket(
    bucket: str, s3_server: str, tmp_path: Path
) -> None:
    store = open_store(f"s3://{bucket}", endpoint_url=s3_server)
    store.put_bytes("key", b"x")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"could not write .*file/target.*permissions"):
        store.get_file("key", tmp_path / "file" / "target")
