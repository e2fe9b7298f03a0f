"""Every fault that a server or the network before it can show: gone on with, or refused.

Whatever happens, a wrong or half object is never accepted and nothing that was stored is lost.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voltx_core.bench.faults import TRANSIENT, Fault, FaultPlan, FaultyProxy
from voltx_core.errors import StoreError
from voltx_core.store import ArtifactStore, Manifest, Mirror, sha256_bytes
from voltx_core.store.s3 import S3Store

PART = 5 << 20
UPLOAD_FAULTS = (
    Fault.SERVER_ERROR,
    Fault.SLOW_DOWN,
    Fault.DELAY,
    Fault.CUT_UPLOAD,
    Fault.LOST_ANSWER,
    Fault.FLIPPED_UPLOAD,
)
DOWNLOAD_FAULTS = (
    Fault.SERVER_ERROR,
    Fault.SLOW_DOWN,
    Fault.DELAY,
    Fault.CUT_DOWNLOAD,
    Fault.SHORT_DOWNLOAD,
    Fault.FLIPPED_DOWNLOAD,
    Fault.LOST_ANSWER,
)
LASTING = {
    Fault.EXPIRED_CREDENTIALS: r"credentials have expired \(ExpiredToken\).*finished work is safe",
    Fault.SKEWED_CLOCK: r"clocks of this machine and of .* are 60 minutes apart.*timedatectl",
    Fault.FORBIDDEN: r"access is denied .*s3:PutObject",
    Fault.FULL: r"the bucket is full \(InsufficientStorage\). Free space",
}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three parts."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    path.write_bytes(os.urandom(2 * PART + 1000))
    return path


@pytest.mark.parametrize("fault", UPLOAD_FAULTS)
def test_an_upload_in_parts_goes_on_through(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, big: Path, fault: Fault
) -> None:
    proxy.plan.order(fault, 2, containing="partNumber")
    remote.put_file("big", big)
    assert proxy.injected == {fault: 2}
    assert direct.get_bytes("big") == big.read_bytes()


@pytest.mark.parametrize("fault", UPLOAD_FAULTS)
@pytest.mark.parametrize("door", ["put", "create"])
def test_a_small_upload_goes_on_through(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, fault: Fault, door: str
) -> None:
    remote.check()
    proxy.plan.order(fault, method="PUT", containing="/p/key")
    if door == "create":
        assert remote.create("key", b"the bytes")
        assert not remote.create("key", b"of another")
    else:
        remote.put_bytes("key", b"the bytes")
    assert proxy.injected == {fault: 1}
    assert direct.get_bytes("key") == b"the bytes"


@pytest.mark.parametrize("fault", DOWNLOAD_FAULTS)
def test_a_download_in_ranges_goes_on_through(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, big: Path, tmp_path: Path, fault: Fault
) -> None:
    direct.put_file("big", big)
    proxy.plan.order(fault, 1, method="GET", containing="/p/big")
    remote.get_file("big", tmp_path / "back", sha256=sha256_bytes(big.read_bytes()))
    assert proxy.injected == {fault: 1}
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["back"]


@pytest.mark.parametrize("fault", DOWNLOAD_FAULTS)
def test_a_small_download_goes_on_through(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, fault: Fault
) -> None:
    direct.put_bytes("key", b"the bytes")
    proxy.plan.order(fault, 1, method="GET", containing="/p/key")
    assert remote.get_bytes("key") == b"the bytes"
    assert proxy.injected == {fault: 1}


@pytest.mark.parametrize("fault", [Fault.CUT_DOWNLOAD, Fault.LOST_ANSWER, Fault.SLOW_DOWN])
def test_a_listing_goes_on_through(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, fault: Fault
) -> None:
    for name in ("a/1", "a/2", "b"):
        direct.put_bytes(name, b"x")
    proxy.plan.order(fault, 1, containing="list-type")
    assert [found.key for found in remote.list()] == ["a/1", "a/2", "b"]
    assert proxy.injected == {fault: 1}


@pytest.mark.parametrize("damage", [Fault.FLIPPED_UPLOAD, Fault.FLIPPED_DOWNLOAD])
def test_a_bit_that_flips_once_condemns_no_server(
    remote: S3Store, proxy: FaultyProxy, damage: Fault
) -> None:
    proxy.plan.order(damage)
    remote.check()
    assert proxy.injected == {damage: 1}


def test_a_connection_that_is_cut_while_the_server_is_tried_out_condemns_no_server(
    remote: S3Store, proxy: FaultyProxy
) -> None:
    proxy.plan.order(Fault.CUT_DOWNLOAD, 2)
    remote.check()
    assert proxy.injected == {Fault.CUT_DOWNLOAD: 2}


def test_a_server_that_always_damages_what_it_is_sent_is_refused(
    remote: S3Store, proxy: FaultyProxy, big: Path
) -> None:
    proxy.plan.order(Fault.FLIPPED_UPLOAD, None)
    with pytest.raises(StoreError, match="damages data: use another store"):
        remote.check()
    for attempt in (lambda: remote.put_bytes("key", b"xy"), lambda: remote.put_file("big", big)):
        with pytest.raises(StoreError, match="the server or a proxy before it damages data"):
            attempt()
    proxy.plan.clear()
    remote.put_file("big", big)
    assert remote.get_bytes("big") == big.read_bytes()


@pytest.mark.parametrize("answered", ["the last part", "the completion"])
def test_a_finished_upload_whose_answer_was_lost_is_not_sent_again(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, big: Path, answered: str
) -> None:
    where = "partNumber=3" if answered == "the last part" else "uploadId"
    method = "PUT" if answered == "the last part" else "POST"
    proxy.plan.order(Fault.LOST_ANSWER, method=method, containing=where)
    remote.put_file("big", big)
    sent = sum(request.sent for request in proxy.requests if "partNumber" in request.path)
    again = 1000 if answered == "the last part" else 0
    assert sent == big.stat().st_size + again
    assert direct.get_bytes("big") == big.read_bytes()


@pytest.mark.parametrize("fault", LASTING)
def test_what_does_not_pass_is_refused_with_a_remedy_and_changes_nothing(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, big: Path, fault: Fault
) -> None:
    remote.put_bytes("key", b"before")
    remote.create("made", b"before")
    proxy.plan.order(fault, None)
    for attempt in (
        lambda: remote.put_bytes("key", b"after"),
        lambda: remote.put_file("big", big),
        lambda: remote.create("new", b"after"),
    ):
        with pytest.raises(StoreError, match=LASTING[fault]):
            attempt()
    assert {found.key: direct.get_bytes(found.key) for found in direct.list()} == {
        "key": b"before",
        "made": b"before",
    }
    proxy.plan.clear()
    remote.put_file("big", big)
    assert direct.get_bytes("big") == big.read_bytes()


def test_an_outage_is_named_and_what_was_stored_is_there_after_it(
    remote: S3Store, proxy: FaultyProxy
) -> None:
    remote.put_bytes("key", b"before")
    proxy.plan.order(Fault.SERVER_ERROR, None)
    with pytest.raises(StoreError, match=r"keeps failing.*Try again later; finished work is safe"):
        S3Store(remote.url, endpoint_url=proxy.url, attempts=2).put_bytes("key", b"after")
    proxy.plan.clear()
    assert remote.get_bytes("key") == b"before"


def test_a_checkpoint_that_met_an_outage_leaves_the_one_before_and_the_next_arrives(
    bucket: str, proxy: FaultyProxy, outputs: Callable[..., Path], tmp_path: Path
) -> None:
    store = S3Store(f"s3://{bucket}/p", endpoint_url=proxy.url, attempts=1)
    artifacts = ArtifactStore(store, tmp_path / "cache")

    def save(step: int) -> None:
        folder = outputs({"model": b"%d" % step * 1000}, name=f"step {step}")
        artifacts.save_progress("soft_core", "cafe", step, folder)
        artifacts.prune_progress("soft_core", "cafe", keep=1)

    mirror = Mirror()
    for step in (1, 2, 3):
        if step == 2:
            proxy.plan.order(Fault.SLOW_DOWN, None)
        mirror.submit(lambda step=step: save(step))
        assert mirror.drain(60)
        if step == 2:
            proxy.plan.clear()
            assert artifacts.progress_steps("soft_core", "cafe") == [1]
    assert len(mirror.failures) == 1
    assert artifacts.progress_steps("soft_core", "cafe") == [3]
    artifacts.fetch_progress("soft_core", "cafe", 3, tmp_path / "back")
    assert (tmp_path / "back" / "model").read_bytes() == b"3" * 1000


@pytest.mark.parametrize("seed", range(3))
def test_in_a_storm_of_faults_stages_are_committed_and_fetched_whole(
    bucket: str,
    s3_server: str,
    tmp_path: Path,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
    big: Path,
    seed: int,
) -> None:
    files = {f"weights/{n}.bin": bytes([n, seed]) * 2000 for n in range(8)}
    files["weights/big.bin"] = big.read_bytes()
    with FaultyProxy(s3_server, FaultPlan.storm(seed, rate=0.3)) as proxy:
        store = S3Store(f"s3://{bucket}", endpoint_url=proxy.url, part_bytes=PART, attempts=8)
        committed = ArtifactStore(store, tmp_path / "here").commit(
            draft(weights="weights"), outputs(files)
        )
        there = ArtifactStore(store, tmp_path / "there").fetch(committed, "weights")
        assert sum(proxy.injected.values()) > 3
    assert {f"weights/{p.name}": p.read_bytes() for p in there.iterdir()} == files
    assert set(proxy.injected) <= set(TRANSIENT)


def test_two_writers_of_one_fingerprint_in_a_storm_leave_one_whole_result(
    bucket: str,
    s3_server: str,
    tmp_path: Path,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
) -> None:
    def commit(number: int) -> Manifest:
        files = {f"w/{n}.bin": b"%d" % number * 3000 for n in range(5)}
        with FaultyProxy(s3_server, FaultPlan.storm(number, rate=0.3)) as proxy:
            store = S3Store(f"s3://{bucket}", endpoint_url=proxy.url, attempts=8)
            artifacts = ArtifactStore(store, tmp_path / f"cache {number}")
            return artifacts.commit(draft(weights="w"), outputs(files, name=f"writer {number}"))

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(commit, (1, 2)))
    assert answers[0] == answers[1]
    store = S3Store(f"s3://{bucket}", endpoint_url=s3_server)
    folder = ArtifactStore(store, tmp_path / "cache").fetch(answers[0], "weights")
    assert len({path.read_bytes() for path in folder.iterdir()}) == 1
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("conditions", [True, False])
def test_what_is_created_damaged_is_put_right_even_when_the_answer_was_lost(
    remote: S3Store, direct: S3Store, proxy: FaultyProxy, conditions: bool
) -> None:
    if not conditions:
        proxy.plan.order(Fault.IGNORED_CONDITION, 1, method="PUT", containing="probe")
    remote.check()
    proxy.plan.order(Fault.FLIPPED_UPLOAD, containing="/p/key")
    proxy.plan.order(Fault.LOST_ANSWER, method="PUT", containing="/p/key")
    assert remote.create("key", b"the bytes")
    assert proxy.plan.outstanding() == 0
    assert direct.get_bytes("key") == b"the bytes"
    assert not remote.create("key", b"of another")
